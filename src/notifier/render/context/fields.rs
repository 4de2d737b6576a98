//! The fields of a struct, by their names: what Tera's own way finds too, but by a map in between that is made only to
//! be taken apart.

use std::fmt::Error;

use serde::Serialize;
use serde::ser::{Impossible, SerializeStruct, Serializer};
use tera::Value;

/// A struct's fields, in their order; none of what is no struct.
pub(super) fn fields(of: &impl Serialize) -> Vec<(&'static str, Value)> {
    of.serialize(Fields(Vec::new())).unwrap_or_default()
}

struct Fields(Vec<(&'static str, Value)>);

type Never = Impossible<Vec<(&'static str, Value)>, Error>;
type Result<T> = std::result::Result<T, Error>;

impl SerializeStruct for Fields {
    type Ok = Vec<(&'static str, Value)>;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        let value = Value::try_from_serializable(value);
        self.0.push((name, value.map_err(|_| Error)?));
        Ok(())
    }

    fn end(self) -> Result<Self::Ok> {
        Ok(self.0)
    }
}

fn no_struct<T>() -> Result<T> {
    Err(Error)
}

/// Of values that are no struct.
macro_rules! refuse {
    ($($method:ident($($type:ty),*) -> $of:ty;)*) => {
        $(fn $method(self $(, _: $type)*) -> Result<$of> {
            no_struct()
        })*
    };
}

impl Serializer for Fields {
    type Ok = Vec<(&'static str, Value)>;
    type Error = Error;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Self;
    type SerializeStructVariant = Never;

    fn serialize_struct(mut self, _: &'static str, length: usize) -> Result<Self> {
        self.0.reserve(length);
        Ok(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Self::Ok> {
        no_struct()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<Self::Ok> {
        no_struct()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Self::Ok> {
        no_struct()
    }

    refuse! {
        serialize_bool(bool) -> Self::Ok;
        serialize_i8(i8) -> Self::Ok;
        serialize_i16(i16) -> Self::Ok;
        serialize_i32(i32) -> Self::Ok;
        serialize_i64(i64) -> Self::Ok;
        serialize_u8(u8) -> Self::Ok;
        serialize_u16(u16) -> Self::Ok;
        serialize_u32(u32) -> Self::Ok;
        serialize_u64(u64) -> Self::Ok;
        serialize_f32(f32) -> Self::Ok;
        serialize_f64(f64) -> Self::Ok;
        serialize_char(char) -> Self::Ok;
        serialize_str(&str) -> Self::Ok;
        serialize_bytes(&[u8]) -> Self::Ok;
        serialize_none() -> Self::Ok;
        serialize_unit() -> Self::Ok;
        serialize_unit_struct(&'static str) -> Self::Ok;
        serialize_unit_variant(&'static str, u32, &'static str) -> Self::Ok;
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Names {
        name: Option<String>,
        count: usize,
        list: Vec<&'static str>,
    }

    #[test]
    fn fields_are_what_tera_makes_of_them() {
        let names = Names {
            name: None,
            count: 7,
            list: vec!["a"],
        };
        let found = fields(&names);
        assert_eq!(
            found.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            ["name", "count", "list"]
        );
        for (name, value) in found {
            let whole = Value::from_serializable(&names);
            assert_eq!(whole.get_from_path(name), Some(&value), "{name}");
        }
        assert_eq!(fields(&7).len(), 0);
    }
}
