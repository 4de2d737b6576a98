//! Reads JSON into the SDK's own types. It reports each wrong field with its name and the expected type. The SDK's own
//! reader stops at the first wrong value, does not name its field, and ignores unknown fields.

use std::cell::RefCell;

use aws_smithy_schema::Schema;
use aws_smithy_schema::serde::{SerdeError, ShapeDeserializer};
use aws_smithy_types::{BigDecimal, BigInteger, Blob, DateTime, Document};
use serde_json::Value;

use super::RequestProblem;
use crate::text::spelling::nearest;

const WHOLE: &str = "a whole number";

/// One value of the JSON, with its path.
pub(super) struct Reader<'a> {
    value: &'a Value,
    path: String,
    /// More names that a suggestion for an unknown field of the outermost object may use.
    aliases: &'a [&'static str],
    problems: &'a RefCell<Vec<RequestProblem>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        value: &'a Value,
        aliases: &'a [&'static str],
        problems: &'a RefCell<Vec<RequestProblem>>,
    ) -> Self {
        Self {
            value,
            path: String::new(),
            aliases,
            problems,
        }
    }

    fn inner(&self, value: &'a Value, path: String) -> Self {
        Self {
            value,
            path,
            aliases: &[],
            problems: self.problems,
        }
    }

    fn push(&self, problem: RequestProblem) {
        self.problems.borrow_mut().push(problem);
    }

    /// The value that was read. A wrong value is noted and replaced by the default, because later fields may be wrong
    /// too.
    fn read<T: Default>(&self, read: Option<T>, wanted: &'static str) -> T {
        read.unwrap_or_else(|| {
            let given = match self.value {
                Value::Null => "null",
                Value::Bool(_) => "true or false",
                Value::Number(_) if wanted == WHOLE => "a number with a fraction or too large",
                Value::Number(_) => "a number",
                Value::String(_) => "text",
                Value::Array(_) => "a list",
                Value::Object(_) => "an object",
            };
            self.push(match self.path.as_str() {
                "" => RequestProblem::Json(format!("it must be {wanted}, but is {given}")),
                path => RequestProblem::Form {
                    field: path.to_owned(),
                    wanted,
                    given,
                },
            });
            T::default()
        })
    }

    fn whole<T: Default + TryFrom<i64>>(&self) -> T {
        let number = self.value.as_i64().and_then(|it| it.try_into().ok());
        self.read(number, WHOLE)
    }

    fn key(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

/// RunTask has no field of such a type.
fn unsupported_type<T>() -> Result<T, SerdeError> {
    Err(SerdeError::custom("a type that cannot be read from JSON"))
}

impl ShapeDeserializer for Reader<'_> {
    fn read_struct(
        &mut self,
        schema: &Schema<'_>,
        state: &mut dyn FnMut(&Schema<'_>, &mut dyn ShapeDeserializer) -> Result<(), SerdeError>,
    ) -> Result<(), SerdeError> {
        let Some(fields) = self.value.as_object() else {
            self.read::<()>(None, "an object");
            return Ok(());
        };
        let members = schema.members();
        for (key, value) in fields {
            let path = self.key(key);
            match members
                .iter()
                .find(|it| it.member_name() == Some(key.as_str()))
            {
                Some(member) => state(member, &mut self.inner(value, path))?,
                None if value.is_null() => {}
                None => {
                    let names = members.iter().filter_map(|it| it.member_name());
                    let meant = nearest(key, names.chain(self.aliases.iter().copied()));
                    self.push(RequestProblem::UnknownKey {
                        key: path,
                        meant: meant.map(|name| self.key(name)),
                    });
                }
            }
        }
        Ok(())
    }

    fn read_list(
        &mut self,
        _schema: &Schema<'_>,
        state: &mut dyn FnMut(&mut dyn ShapeDeserializer) -> Result<(), SerdeError>,
    ) -> Result<(), SerdeError> {
        let list = self.value.as_array();
        if list.is_none() {
            self.read::<()>(None, "a list");
        }
        for (index, value) in list.into_iter().flatten().enumerate() {
            state(&mut self.inner(value, format!("{}[{index}]", self.path)))?;
        }
        Ok(())
    }

    fn read_map(
        &mut self,
        _schema: &Schema<'_>,
        state: &mut dyn FnMut(String, &mut dyn ShapeDeserializer) -> Result<(), SerdeError>,
    ) -> Result<(), SerdeError> {
        let fields = self.value.as_object();
        if fields.is_none() {
            self.read::<()>(None, "an object");
        }
        for (key, value) in fields.into_iter().flatten() {
            state(key.clone(), &mut self.inner(value, self.key(key)))?;
        }
        Ok(())
    }

    fn read_boolean(&mut self, _schema: &Schema<'_>) -> Result<bool, SerdeError> {
        Ok(self.read(self.value.as_bool(), "true or false"))
    }

    fn read_byte(&mut self, _schema: &Schema<'_>) -> Result<i8, SerdeError> {
        Ok(self.whole())
    }

    fn read_short(&mut self, _schema: &Schema<'_>) -> Result<i16, SerdeError> {
        Ok(self.whole())
    }

    fn read_integer(&mut self, _schema: &Schema<'_>) -> Result<i32, SerdeError> {
        Ok(self.whole())
    }

    fn read_long(&mut self, _schema: &Schema<'_>) -> Result<i64, SerdeError> {
        Ok(self.whole())
    }

    fn read_float(&mut self, _schema: &Schema<'_>) -> Result<f32, SerdeError> {
        unsupported_type()
    }

    fn read_double(&mut self, _schema: &Schema<'_>) -> Result<f64, SerdeError> {
        Ok(self.read(self.value.as_f64(), "a number"))
    }

    fn read_big_integer(&mut self, _schema: &Schema<'_>) -> Result<BigInteger, SerdeError> {
        unsupported_type()
    }

    fn read_big_decimal(&mut self, _schema: &Schema<'_>) -> Result<BigDecimal, SerdeError> {
        unsupported_type()
    }

    fn read_string(&mut self, _schema: &Schema<'_>) -> Result<String, SerdeError> {
        Ok(self.read(self.value.as_str().map(str::to_owned), "text"))
    }

    fn read_blob(&mut self, _schema: &Schema<'_>) -> Result<Blob, SerdeError> {
        unsupported_type()
    }

    fn read_timestamp(&mut self, _schema: &Schema<'_>) -> Result<DateTime, SerdeError> {
        unsupported_type()
    }

    fn read_document(&mut self, _schema: &Schema<'_>) -> Result<Document, SerdeError> {
        unsupported_type()
    }

    fn is_null(&self) -> bool {
        self.value.is_null()
    }

    fn container_size(&self) -> Option<usize> {
        None
    }
}
