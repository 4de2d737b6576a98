//! Whose incident a composite alarm is a part of.
//!
//! Only AWS knows the service of a composite alarm. If it does not answer about the event that the alarm is over, that
//! event still belongs to the incident that the alarm opened.

use super::Board;
use crate::ecs::notice::Facts;
use crate::notifier::thread::observation::Observation;
use crate::notifier::thread::route::Route;
use crate::notifier::thread::subject::SubjectKey;

impl Board<'_> {
    /// The subject that the composite alarm of an event was about when it was on.
    pub(super) fn subject_of_alarm(&self, route: &Route) -> Option<SubjectKey> {
        self.known(route.composite.as_ref()?)?.alarm_of.clone()
    }

    /// The subject of an event. That of a composite alarm which is on is noted.
    pub(super) fn primary(
        &mut self,
        observation: &Observation<'_>,
        route: &Route,
    ) -> Option<SubjectKey> {
        let primary = route.primary.clone();
        let Some(composite) = &route.composite else {
            return primary;
        };
        match &observation.notice.facts {
            Facts::Alarm(alarm) if alarm.is_on() => {
                self.state(composite).alarm_of.clone_from(&primary);
                primary
            }
            _ => self.subject_of_alarm(route).or(primary),
        }
    }
}
