//! Advances all subjects of a batch together. Pure: states and events in, states and actions out.

mod alarms;
mod launches;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::action::{Action, ThreadKind, Turn};
use super::expectation::Expectation;
use super::host::HostTrouble;
use super::observation::Observation;
use super::route::{Route, kinds_heard, route};
use super::settings::ThreadSettings;
use super::state::{SubjectState, Thread};
use super::storm::{self, Report};
use super::subject::{SubjectKey, SubjectKind};
use super::unix_time::UnixTime;
use super::{activity, announcement, expectation, incident, registration, service, workload};
use crate::ecs::diagnosis::Cause;
use crate::ecs::notice::Notice;

/// The states that a batch needs, by their subjects. A subject without a state has an empty one.
pub type States = HashMap<SubjectKey, SubjectState>;

/// These states are needed too. Load them, and advance again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingStates(pub BTreeSet<SubjectKey>);

/// What a batch and the time change.
#[derive(Debug, Default)]
pub struct Progress {
    /// The states that changed.
    pub states: BTreeMap<SubjectKey, SubjectState>,
    pub actions: Vec<Action>,
    /// When each subject must be looked at again.
    pub wake_at: BTreeMap<SubjectKey, Option<UnixTime>>,
    /// The events that belong to a thread, so that they are not posted by themselves, with their subjects.
    pub taken: BTreeMap<usize, SubjectKey>,
    /// The launches whose tasks other ones have now. They are written after those, so that no task is lost.
    pub left: BTreeSet<SubjectKey>,
}

/// What besides the events is known now.
#[derive(Debug, Default)]
pub struct Surroundings<'a> {
    /// Subjects whose timers fired.
    pub timers: &'a [SubjectKey],
    /// The running and the desired tasks of services, if AWS was asked.
    pub counts: HashMap<SubjectKey, (i64, i64)>,
}

/// Advances the subjects of these events and timers.
///
/// # Errors
///
/// [`MissingStates`] if a state is needed that is not loaded. Nothing has changed then.
pub fn advance(
    states: &States,
    observations: &[Observation<'_>],
    surroundings: &Surroundings<'_>,
    now: UnixTime,
    settings: &ThreadSettings,
) -> Result<Progress, MissingStates> {
    let mut board = Board {
        loaded: states,
        changed: BTreeMap::new(),
        events: BTreeMap::new(),
        taken: BTreeMap::new(),
        left: BTreeSet::new(),
        surroundings,
        now,
        settings,
    };
    let mut ordered: Vec<_> = observations.iter().filter(|it| it.is_heard()).collect();
    ordered.sort_by_key(|it| (it.at, it.index));
    let routes: Vec<_> = ordered.iter().map(|it| (*it, route(it))).collect();
    board.require(&routes)?;
    board.require_expected(observations)?;
    for (observation, route) in &routes {
        board.observe(observation, route);
    }
    board.observe_expected(observations);
    for key in surroundings.timers {
        board.state(key);
    }
    board.pass();
    board.put_off_summaries()?;
    board.note_storms()?;
    Ok(board.finish())
}

struct Board<'a> {
    loaded: &'a States,
    changed: BTreeMap<SubjectKey, SubjectState>,
    /// The events of each subject, with the kinds of thread that hear of them.
    events: BTreeMap<SubjectKey, Vec<(usize, Vec<ThreadKind>)>>,
    taken: BTreeMap<usize, SubjectKey>,
    left: BTreeSet<SubjectKey>,
    surroundings: &'a Surroundings<'a>,
    now: UnixTime,
    settings: &'a ThreadSettings,
}

impl Board<'_> {
    /// Checks that all states are loaded that the events name.
    fn require(&self, routes: &[(&Observation<'_>, Route)]) -> Result<(), MissingStates> {
        let named = routes.iter().flat_map(|(_, route)| route.subjects());
        let stops = routes.iter().filter_map(|(_, route)| route.stops.clone());
        let mut missing: BTreeSet<_> = named
            .chain(stops)
            .chain(self.surroundings.timers.iter().cloned())
            .collect();
        missing.retain(|key| !self.loaded.contains_key(key));
        let followed = routes.iter().flat_map(|(observation, route)| {
            let nearby = self.nearby_launches(observation, route).into_iter();
            let registrations = route.registration.as_ref();
            let registrations = registrations.and_then(|it| self.known(it));
            let registrations =
                registrations.filter(|_| registration::is_registration(observation));
            let awaiting = registrations.map(|it| registration::awaiting(it, observation));
            nearby
                .chain(self.launch_states(route))
                .chain(self.subject_of_alarm(route))
                .chain(awaiting.into_iter().flatten())
        });
        missing.extend(followed.filter(|key| !self.loaded.contains_key(key)));
        match missing.is_empty() {
            true => Ok(()),
            false => Err(MissingStates(missing)),
        }
    }

    /// Checks that the states of expectations are loaded. They hear of tasks whose messages the operator drops.
    fn require_expected(&self, observations: &[Observation<'_>]) -> Result<(), MissingStates> {
        let entries = observations
            .iter()
            .flat_map(|it| expectation::expected(it, self.settings));
        self.require_all(entries.map(Expectation::subject).collect())
    }

    /// Tells expectations how their tasks ended. This comes before the passing of time: what has run in time is not missed,
    /// also if its event comes late.
    fn observe_expected(&mut self, observations: &[Observation<'_>]) {
        let (now, settings) = (self.now, self.settings);
        for observation in observations {
            for entry in expectation::expected(observation, settings) {
                let key = entry.subject();
                if expectation::observe(self.state(&key), entry, observation, now) {
                    self.note_event(&key, observation, vec![ThreadKind::Incident], false);
                }
            }
        }
    }

    /// A state as it is now.
    fn known(&self, key: &SubjectKey) -> Option<&SubjectState> {
        self.changed.get(key).or_else(|| self.loaded.get(key))
    }

    fn state(&mut self, key: &SubjectKey) -> &mut SubjectState {
        let loaded = self.loaded;
        self.changed
            .entry(key.clone())
            .or_insert_with(|| loaded.get(key).cloned().unwrap_or_default())
    }

    fn observe(&mut self, observation: &Observation<'_>, route: &Route) {
        let mut is_taken = false;
        if let Some(key) = &route.registration
            && registration::is_registration(observation)
        {
            registration::observe(self.state(key), observation);
            self.tell_deployments(key, observation);
        }
        if let Some(key) = &self.primary(observation, route) {
            is_taken = match self.host_known(observation, route) {
                Some(notice) => {
                    let observation = Observation {
                        notice: &notice,
                        ..observation.clone()
                    };
                    self.observe_primary(key, &observation, route)
                }
                None => self.observe_primary(key, observation, route),
            };
        }
        for key in route.instances() {
            workload::is_told_by_event(key, self.state(key), observation);
        }
        let Some(key) = &route.activity else {
            return;
        };
        if observation.is_brought_back
            || is_taken && !self.is_counted_beside(key, observation, route)
        {
            return;
        }
        let stops = route.stops.as_ref();
        let has_shown_stop = stops.is_some_and(|it| self.explain_stop(it, observation));
        let first_counted = activity::first_counted_call(has_shown_stop);
        if self.observe_activity(key, observation, first_counted) {
            self.note_event(key, observation, vec![ThreadKind::Activity], true);
        }
    }

    /// A registration whose event comes after the one of the deployment's call.
    fn tell_deployments(&mut self, key: &SubjectKey, observation: &Observation<'_>) {
        let Some(definition) = observation.notice.subject.task_definition() else {
            return;
        };
        let state = self.state(key);
        let services = registration::awaiting(state, observation);
        let Some(known) = registration::find(state, &definition).cloned() else {
            return;
        };
        for service in services {
            registration::tell(self.state(&service), &definition, &known);
            self.note_event(&service, observation, vec![ThreadKind::Deployment], false);
        }
    }

    /// A scheduled task that ended well and is the sign of a recovery is not posted beside it. Where the good ends are
    /// counted already, it is one of them. A run is not: it has a message of its own.
    fn is_counted_beside(
        &self,
        key: &SubjectKey,
        observation: &Observation<'_>,
        route: &Route,
    ) -> bool {
        let is_run = route.launches().next().is_some();
        let activity = self.known(key).and_then(|it| it.activity.as_ref());
        !is_run
            && observation.cause() == Some(Cause::Finished)
            && activity.is_some_and(|it| it.goes_on(self.now))
    }

    fn observe_primary(
        &mut self,
        key: &SubjectKey,
        observation: &Observation<'_>,
        route: &Route,
    ) -> bool {
        let (now, settings) = (self.now, self.settings);
        let until = observation.at.min(now);
        let counts = self.surroundings.counts.get(key).copied();
        let is_taken = match key.kind {
            SubjectKind::Service | SubjectKind::Daemon => {
                let registrations = route.registration.as_ref();
                let registrations = registrations.and_then(|it| self.known(it).cloned());
                let definition = observation.notice.subject.task_definition();
                let known = registrations.as_ref().zip(definition.as_deref());
                let known = known.and_then(|(state, it)| registration::find(state, it));
                if let (None, Some(registrations), Some(definition)) =
                    (known, &route.registration, &definition)
                {
                    registration::wait(self.state(registrations), definition, key);
                }
                let state = self.state(key);
                pass_incident(key, state, until, counts, settings);
                service::observe(key, state, observation, known, now)
            }
            SubjectKind::Family | SubjectKind::Instance | SubjectKind::Alarm => {
                let state = self.state(key);
                pass_incident(key, state, until, counts, settings);
                workload::observe(key, state, observation, now)
            }
            SubjectKind::Announcement => {
                announcement::observe(key, self.state(key), observation);
                observation.priority().is_some()
            }
            SubjectKind::Launch => return self.observe_launch(key, observation, route),
            SubjectKind::Cluster
            | SubjectKind::Activity
            | SubjectKind::Definition
            | SubjectKind::Expectation
            | SubjectKind::RecentLaunches => false,
        };
        if is_taken && let Some(trouble) = self.host_trouble(observation, route) {
            incident::note_host_trouble(self.state(key), trouble);
        }
        self.note_event(key, observation, kinds_heard(observation), is_taken);
        is_taken
    }

    /// Notes that a call says who stopped a task. Returns whether the stop has been counted already.
    fn explain_stop(&mut self, key: &SubjectKey, observation: &Observation<'_>) -> bool {
        let state = self.known(key);
        let is_counted = state.is_some_and(|it| activity::has_counted_stop(it, observation));
        if is_counted {
            activity::explain_stop(self.state(key), observation);
        }
        is_counted
    }

    /// A failure with the EC2 id of its instance, if an earlier event has named it and this one does not.
    fn host_known(&self, observation: &Observation<'_>, route: &Route) -> Option<Notice> {
        let notice = observation.notice;
        let host = self.known(route.host.as_ref()?)?;
        let ec2_instance = host.host.ec2_instance.clone()?;
        notice.subject.ec2_instance.is_none().then(|| {
            let mut notice = notice.clone();
            notice.subject.ec2_instance = Some(ec2_instance);
            notice
        })
    }

    fn host_trouble(&self, observation: &Observation<'_>, route: &Route) -> Option<HostTrouble> {
        let key = route.host.as_ref()?;
        let host = self.known(key)?;
        let incident = host.incident.as_deref();
        host.host.trouble(&key.name, incident, observation.at)
    }

    fn observe_activity(
        &mut self,
        key: &SubjectKey,
        observation: &Observation<'_>,
        first_counted: usize,
    ) -> bool {
        let (now, settings) = (self.now, self.settings);
        let state = self.state(key);
        if let Some(activity) = &mut state.activity {
            activity.pass(observation.at.min(now), settings);
        }
        activity::observe(key, state, observation, first_counted, now)
    }

    fn note_event(
        &mut self,
        key: &SubjectKey,
        observation: &Observation<'_>,
        kinds: Vec<ThreadKind>,
        is_taken: bool,
    ) {
        let events = self.events.entry(key.clone()).or_default();
        events.push((observation.index, kinds));
        if is_taken && observation.priority().is_some() {
            self.taken.insert(observation.index, key.clone());
        }
    }

    /// Does what the passing of time does.
    fn pass(&mut self) {
        let (now, settings) = (self.now, self.settings);
        for (key, state) in &mut self.changed {
            let counts = self.surroundings.counts.get(key).copied();
            expectation::pass(key, state, now, settings);
            pass_incident(key, state, now, counts, settings);
            if let Some(activity) = &mut state.activity {
                activity.pass(now, settings);
            }
            state.ended.take_if(|it| it.has_been_shown(now));
        }
    }

    /// While a family's incident is open, no summary says how many of its tasks ended well.
    fn put_off_summaries(&mut self) -> Result<(), MissingStates> {
        let is_due = |state: &SubjectState| {
            let activity = state.activity.as_ref();
            activity.is_some_and(|it| it.has_summary_of_tasks())
        };
        let due = self.changed.iter().filter(|(_, state)| is_due(state));
        let due = due.filter_map(|(key, _)| Some((key.clone(), activity::family_of(key)?)));
        let due: Vec<_> = due.collect();
        self.require_all(due.iter().map(|(_, family)| family.clone()).collect())?;
        for (key, family) in due {
            let incident = self.known(&family).and_then(|it| it.incident.as_ref());
            let fails = incident.is_some_and(|it| !it.is_over());
            if let Some(activity) = self.state(&key).activity.as_mut().filter(|_| fails) {
                activity.put_off_summary();
            }
        }
        Ok(())
    }

    /// Tells the clusters about incidents that open or belong to a storm.
    fn note_storms(&mut self) -> Result<(), MissingStates> {
        let mut clusters: BTreeMap<SubjectKey, Vec<SubjectKey>> = BTreeMap::new();
        for (key, state) in &self.changed {
            let reports = state.incident.as_ref().is_some_and(|it| it.reports());
            // What did not run is no part of a cluster's problem: its deadline has passed by chance at the same time.
            let is_in_cluster = !key.cluster.is_empty() && key.kind != SubjectKind::Expectation;
            if reports && is_in_cluster {
                clusters
                    .entry(key.of_cluster())
                    .or_default()
                    .push(key.clone());
            }
        }
        for key in self
            .changed
            .keys()
            .filter(|it| it.kind == SubjectKind::Cluster)
        {
            clusters.entry(key.clone()).or_default();
        }
        let missing: BTreeSet<_> = clusters.keys().cloned().collect();
        self.require_all(missing)?;
        for (cluster, members) in clusters {
            self.note_storm(&cluster, &members)?;
        }
        Ok(())
    }

    fn require_all(&self, mut keys: BTreeSet<SubjectKey>) -> Result<(), MissingStates> {
        keys.retain(|key| !self.loaded.contains_key(key) && !self.changed.contains_key(key));
        match keys.is_empty() {
            true => Ok(()),
            false => Err(MissingStates(keys)),
        }
    }

    fn note_storm(
        &mut self,
        cluster: &SubjectKey,
        members: &[SubjectKey],
    ) -> Result<(), MissingStates> {
        let (now, settings) = (self.now, self.settings);
        let mut state = std::mem::take(self.state(cluster));
        let mut reports = Vec::new();
        for key in members {
            if let Some(member) = self.changed.get(key)
                && let Some(incident) = &member.incident
            {
                reports.push(Report {
                    key,
                    incident,
                    places: &member.service.places,
                    is_new: incident.is_new(),
                });
            }
        }
        // A storm that was over before takes no new incidents.
        let storm = state.storm.as_mut();
        let mut left = storm.map_or_else(Vec::new, |it| it.pass(cluster, now, settings));
        let mut joined = storm::observe(cluster, &mut state, &reports, now, settings);
        joined.extend(self.joining(&mut state)?);
        let needed = joined.iter().chain(&left).cloned().collect();
        self.require_all(needed)?;
        let has_storm = state.storm.as_ref().is_some_and(|it| !it.is_over());
        for key in &joined {
            self.join(key, &mut state);
        }
        if let Some(storm) = &mut state.storm {
            left.extend(storm.pass(cluster, now, settings));
        }
        self.require_all(left.iter().cloned().collect())?;
        let is_over = !has_storm || !left.is_empty();
        let leaving: Vec<_> = match is_over {
            true => members.iter().chain(&left).cloned().collect(),
            false => left,
        };
        for key in &leaving {
            if let Some(incident) = &mut self.state(key).incident {
                incident.leave_storm(now);
            }
        }
        for key in members {
            if let Some(incident) = &mut self.state(key).incident {
                incident.note_reported();
            }
        }
        self.changed.insert(cluster.clone(), state);
        Ok(())
    }

    /// The incidents that must still join the storm, because their own states do not say that they have. Another function
    /// may have changed them at the same time, or this one ended between two writes.
    fn joining(&self, state: &mut SubjectState) -> Result<Vec<SubjectKey>, MissingStates> {
        let Some(storm) = state.storm.as_mut().filter(|it| !it.is_over()) else {
            return Ok(Vec::new());
        };
        let joining = storm.joining();
        self.require_all(joining.iter().cloned().collect())?;
        let mut left = Vec::new();
        for key in joining {
            let incident = self.loaded.get(&key).and_then(|it| it.incident.as_ref());
            match incident {
                Some(incident) if !incident.is_over() && incident.storm.is_none() => left.push(key),
                Some(_) | None => storm.note_joined(&key),
            }
        }
        Ok(left)
    }

    /// Makes an incident a part of the storm. One that opened before the storm has not reported its state yet.
    fn join(&mut self, key: &SubjectKey, cluster: &mut SubjectState) {
        let member = self.state(key);
        let places = member.service.places.clone();
        if let (Some(incident), Some(storm)) = (&mut member.incident, &mut cluster.storm) {
            incident.join(&storm.thread);
            storm.note_joining(key);
            storm.add_earlier(&Report {
                key,
                incident,
                places: &places,
                is_new: false,
            });
        }
    }

    /// Decides what is due, and when each subject must be looked at again.
    fn finish(mut self) -> Progress {
        let (now, settings) = (self.now, self.settings);
        let mut progress = Progress {
            taken: std::mem::take(&mut self.taken),
            left: std::mem::take(&mut self.left),
            ..Progress::default()
        };
        for (key, mut state) in std::mem::take(&mut self.changed) {
            state.changed_at = now;
            for (thread, turn) in turns(&mut state, now, settings) {
                let events = self.events_of(&key, &thread);
                progress.actions.push(Action {
                    subject: key.clone(),
                    thread,
                    turn,
                    events,
                });
            }
            state.fit();
            let wake_at = wake_at(&key, &state, settings);
            progress.wake_at.insert(key.clone(), wake_at);
            progress.states.insert(key, state);
        }
        progress
    }

    fn events_of(&self, key: &SubjectKey, thread: &Thread) -> Vec<usize> {
        let kind = thread.kind();
        let of = |key: &SubjectKey, kind: ThreadKind| {
            let events = self.events.get(key).into_iter().flatten();
            let heard = events.filter(|(_, kinds)| kinds.contains(&kind));
            heard.map(|(index, _)| *index).collect::<Vec<_>>()
        };
        match thread {
            Thread::Storm(storm) => {
                let members = self.events.keys().filter(|it| {
                    it.of_cluster() == *key && storm.members.iter().any(|member| member.is(it))
                });
                let mut events: Vec<_> = members
                    .flat_map(|it| of(it, ThreadKind::Incident))
                    .collect();
                events.sort_unstable();
                events
            }
            Thread::Deployment(_)
            | Thread::Incident(_)
            | Thread::Run(_)
            | Thread::Activity(_)
            | Thread::Announcement(_) => of(key, kind),
        }
    }
}

fn pass_incident(
    key: &SubjectKey,
    state: &mut SubjectState,
    until: UnixTime,
    counts: Option<(i64, i64)>,
    settings: &ThreadSettings,
) {
    if let Some(incident) = &mut state.incident {
        incident.pass(until, key.kind, counts, settings);
    }
}

/// The turns that are due, each with its thread as it is now.
fn turns(
    state: &mut SubjectState,
    now: UnixTime,
    settings: &ThreadSettings,
) -> Vec<(Thread, Turn)> {
    let mut found = Vec::new();
    for mut leaving in std::mem::take(&mut state.outgoing) {
        if let Some(turn) = leaving.turns(now, settings) {
            found.push((Thread::Deployment(Box::new(leaving)), turn));
        }
    }
    if let Some(old) = &mut state.replaced
        && let Some(turn) = old.turns(now, settings)
    {
        found.push((Thread::Deployment(old.clone()), turn));
    }
    if let Some(deployment) = &mut state.deployment
        && let Some(turn) = deployment.turns(now, settings)
    {
        found.push((Thread::Deployment(deployment.clone()), turn));
    }
    if let Some(old) = &mut state.ended
        && let Some(turn) = old.turns(now, settings)
    {
        found.push((Thread::Incident(old.clone()), turn));
    }
    if let Some(incident) = &mut state.incident
        && let Some(turn) = incident.turns(now, settings)
    {
        found.push((Thread::Incident(incident.clone()), turn));
    }
    if let Some(storm) = &mut state.storm
        && let Some(turn) = storm.turns(now, settings)
    {
        found.push((Thread::Storm(storm.clone()), turn));
    }
    if let Some(run) = &mut state.run
        && let Some(turn) = run.turns(now, settings)
    {
        found.push((Thread::Run(run.clone()), turn));
    }
    if let Some(activity) = &mut state.activity
        && let Some(turn) = activity.turns(now, settings)
    {
        found.push((Thread::Activity(activity.clone()), turn));
    }
    if let Some(announcement) = &mut state.announcement
        && let Some(turn) = announcement.turns(now, settings)
    {
        found.push((Thread::Announcement(announcement.clone()), turn));
    }
    found
}

fn wake_at(key: &SubjectKey, state: &SubjectState, settings: &ThreadSettings) -> Option<UnixTime> {
    let deployments = [&state.deployment, &state.replaced].into_iter().flatten();
    let deployments = deployments.filter_map(|it| it.wake_at(settings));
    let incident = state.incident.as_ref();
    let incident = incident.and_then(|it| it.wake_at(key.kind, settings));
    let storm = state.storm.as_ref().and_then(|it| it.wake_at(settings));
    let run = state.run.as_ref().and_then(|it| it.wake_at(settings));
    let activity = state.activity.as_ref().and_then(|it| it.wake_at(settings));
    let announcement = state.announcement.as_ref();
    let announcement = announcement.and_then(|it| it.wake_at(settings));
    let expected = expectation::wake_at(key, state, settings);
    let others = [incident, storm, run, activity, announcement, expected];
    deployments.chain(others.into_iter().flatten()).min()
}

/// Whether the incident of a service waits for the number of its tasks.
pub fn needs_counts(state: &SubjectState, now: UnixTime, settings: &ThreadSettings) -> bool {
    let incident = state.incident.as_ref();
    incident.is_some_and(|it| it.needs_counts(now, settings))
}
