//! `numeric`: comparisons of numbers.

use serde_json::Value;

use super::error::PatternProblem;

/// EventBridge compares numbers within these limits.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>
const LARGEST: f64 = 5.0e9;

/// A range of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    low: Option<Bound>,
    high: Option<Bound>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bound {
    at: f64,
    /// Whether the range contains the bound itself.
    is_included: bool,
}

impl Range {
    /// Reads `[">", 0, "<=", 5]`: one comparison, or a lower bound and an upper bound.
    pub(super) fn read(value: &Value) -> Result<Self, PatternProblem> {
        let parts = value.as_array().map(Vec::as_slice);
        let range = match parts {
            Some([operator, number]) => Self::of(operator, number)?,
            Some([operator, low, other, high]) => {
                let (low, high) = (Self::of(operator, low)?, Self::of(other, high)?);
                if low.high.is_some() || high.low.is_some() {
                    return Err(PatternProblem::NumericOrder);
                }
                Self {
                    low: low.low,
                    high: high.high,
                }
            }
            Some(_) | None => return Err(PatternProblem::NumericForm),
        };
        match range.is_empty() {
            true => Err(PatternProblem::EmptyRange),
            false => Ok(range),
        }
    }

    fn of(operator: &Value, number: &Value) -> Result<Self, PatternProblem> {
        let operator = operator.as_str().ok_or(PatternProblem::NumericForm)?;
        let at = number.as_f64().ok_or(PatternProblem::NumericForm)?;
        if at.abs() > LARGEST {
            return Err(PatternProblem::NumberTooLarge);
        }
        let bound = |is_included| Some(Bound { at, is_included });
        let (low, high) = match operator {
            "=" => (bound(true), bound(true)),
            ">" => (bound(false), None),
            ">=" => (bound(true), None),
            "<" => (None, bound(false)),
            "<=" => (None, bound(true)),
            _ => return Err(PatternProblem::NumericForm),
        };
        Ok(Self { low, high })
    }

    fn is_empty(self) -> bool {
        match (self.low, self.high) {
            (Some(low), Some(high)) => {
                low.at > high.at || low.at == high.at && !(low.is_included && high.is_included)
            }
            (_, _) => false,
        }
    }

    pub fn contains(self, number: f64) -> bool {
        let above = |it: Bound| number > it.at || it.is_included && number == it.at;
        let below = |it: Bound| number < it.at || it.is_included && number == it.at;
        self.low.is_none_or(above) && self.high.is_none_or(below)
    }
}
