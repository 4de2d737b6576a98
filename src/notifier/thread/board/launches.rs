//! Which tasks outside services are one launch.
//!
//! One task of a launch has its run, and the others point to that task. CloudTrail's event of the call says which tasks it
//! launched, but it often comes after their starts. Until then, tasks that were created together are taken for one
//! launch. The call's tasks then leave a run that another call's task has.

use super::Board;
use crate::ecs::notice::Facts;
use crate::notifier::thread::action::ThreadKind;
use crate::notifier::thread::observation::Observation;
use crate::notifier::thread::route::Route;
use crate::notifier::thread::subject::SubjectKey;
use crate::notifier::thread::{recent_launches, run};

impl Board<'_> {
    /// The states that the tasks of an event point to.
    pub(super) fn launch_states(&self, route: &Route) -> Vec<SubjectKey> {
        let mut keys = Vec::new();
        for task in route.launches() {
            keys.extend(self.launch_of(task));
            match &route.recent_launches {
                // Only a call moves tasks.
                None => keys.extend(self.left_of(task)),
                Some(recent) if self.run_of(task).is_none() => keys.push(recent.clone()),
                Some(_) => {}
            }
        }
        keys
    }

    /// The states of the launches that a task may belong to.
    pub(super) fn nearby_launches(
        &self,
        observation: &Observation<'_>,
        route: &Route,
    ) -> Vec<SubjectKey> {
        let Some(task) = &route.primary else {
            return Vec::new();
        };
        match self.run_of(task) {
            Some(_) => Vec::new(),
            None => self.near(task, observation, route),
        }
    }

    /// Tells the run of a launch about its call or about a task.
    pub(super) fn observe_launch(
        &mut self,
        key: &SubjectKey,
        observation: &Observation<'_>,
        route: &Route,
    ) -> bool {
        let (holder, elsewhere) = match &observation.notice.facts {
            Facts::Call(_) => self.gather(key, route),
            Facts::Task(_)
            | Facts::Service(_)
            | Facts::Instance(_)
            | Facts::Health(_)
            | Facts::Hook(_)
            | Facts::Rollout(_)
            | Facts::Host(_)
            | Facts::AwsHealth(_)
            | Facts::Scaling(_)
            | Facts::Alarm(_)
            | Facts::Unknown(_)
            | Facts::Missed(_)
            | Facts::Foreign => (self.join_launch(key, observation, route), Vec::new()),
        };
        run::observe(&holder, self.state(&holder), observation, &elsewhere);
        self.note_event(&holder, observation, vec![ThreadKind::Run], true);
        true
    }

    /// The launch's first task, if the task points to it.
    fn launch_of(&self, task: &SubjectKey) -> Option<SubjectKey> {
        let first = self.known(task)?.launched_with.as_ref()?;
        Some(named(first, task))
    }

    fn left_of(&self, task: &SubjectKey) -> Option<SubjectKey> {
        let first = self.known(task)?.left.as_ref()?;
        Some(named(first, task))
    }

    /// The task that has the run of this task.
    fn run_of(&self, task: &SubjectKey) -> Option<SubjectKey> {
        let has_run = self.known(task).is_some_and(|it| it.run.is_some());
        self.launch_of(task)
            .or_else(|| has_run.then(|| task.clone()))
    }

    /// The first tasks of the launches that were made when this task was created.
    fn near(
        &self,
        task: &SubjectKey,
        observation: &Observation<'_>,
        route: &Route,
    ) -> Vec<SubjectKey> {
        let recent = route.recent_launches.as_ref();
        let recent = recent.and_then(|it| self.known(it));
        let created_at = recent_launches::created_at(observation);
        let near = recent.zip(created_at);
        let near = near.map(|(state, at)| state.launches.near(at));
        let near = near.unwrap_or_default().into_iter();
        near.map(|first| named(&first, task)).collect()
    }

    /// Finds the run of a task. A task that no call has named belongs to the launch that was made when it was created.
    fn join_launch(
        &mut self,
        task: &SubjectKey,
        observation: &Observation<'_>,
        route: &Route,
    ) -> SubjectKey {
        if let Some(run) = self.run_of(task) {
            return run;
        }
        let mut near = self.near(task, observation, route).into_iter();
        if let Some(first) = near.find(|first| first == task || self.takes_more(first)) {
            if first != *task {
                run::begin(&first, self.state(&first));
                self.state(task).launched_with = Some(first.name.clone());
            }
            return first;
        }
        let created_at = recent_launches::created_at(observation);
        if let Some((recent, created_at)) = route.recent_launches.as_ref().zip(created_at) {
            self.state(recent).launches.note(created_at, &task.name);
        }
        task.clone()
    }

    /// Whether the launch of this task may have more tasks. Its call is not known yet. It has no run yet if another
    /// function has its event.
    fn takes_more(&self, first: &SubjectKey) -> bool {
        self.known(first).is_some_and(|state| match &state.run {
            Some(run) => run.takes_more(),
            None => state.launched_with.is_none(),
        })
    }

    /// Brings the tasks of a call together in one run. Returns the task that has it, and the tasks with messages of
    /// their own: they keep them.
    fn gather(&mut self, key: &SubjectKey, route: &Route) -> (SubjectKey, Vec<String>) {
        let tasks: Vec<_> = route.launches().cloned().collect();
        let runs: Vec<_> = tasks.iter().filter_map(|it| self.run_of(it)).collect();
        let own: Vec<_> = runs.iter().filter(|it| tasks.contains(it)).collect();
        let is_known = |run: &SubjectKey| {
            let run = self.known(run).and_then(|it| it.run.as_ref());
            run.is_some_and(|it| it.launch.is_some())
        };
        let known = own.iter().find(|it| is_known(it)).or(own.first());
        let holder = known.map_or_else(|| key.clone(), |it| (**it).clone());
        run::begin(&holder, self.state(&holder));
        let mut elsewhere = Vec::new();
        for task in &tasks {
            match self.run_of(task) {
                Some(run) if run == holder => {}
                Some(run) if tasks.contains(&run) => elsewhere.push(task.name.clone()),
                from => self.point(task, from.as_ref(), &holder),
            }
            self.move_task(task, &holder);
        }
        (holder, elsewhere)
    }

    fn point(&mut self, task: &SubjectKey, from: Option<&SubjectKey>, holder: &SubjectKey) {
        let state = self.state(task);
        state.launched_with = (task != holder).then(|| holder.name.clone());
        state.left = from.map(|it| it.name.clone());
    }

    /// Moves what is known of a task from the run that it has left.
    fn move_task(&mut self, task: &SubjectKey, holder: &SubjectKey) {
        let Some(left) = self.left_of(task).filter(|it| it != holder) else {
            return;
        };
        let run = self.state(&left).run.as_mut();
        let Some(moved) = run.and_then(|it| it.give(&task.name)) else {
            return;
        };
        self.left.insert(left);
        if let Some(run) = &mut self.state(holder).run {
            run.take(moved);
        }
    }
}

fn named(name: &str, task: &SubjectKey) -> SubjectKey {
    SubjectKey {
        name: name.to_owned(),
        ..task.clone()
    }
}
