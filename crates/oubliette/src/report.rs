//! The outcome as JSON: one shape for every kind of cell.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cell::{Argument, Outcome, Stop, TraceFrame, Value};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// An [`Outcome`], to be written as the JSON object that `--json` promises.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    cell: &'a str,
    stop: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel_used: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel_schedule: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<u64>,
    memory_peak: u64,
    wall_us: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<JsonArgument<'a>>,
    stdout: String,
    stderr: String,
    output: Buffer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Buffer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<JsonError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trap: Option<JsonTrap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tickets: Option<Vec<u64>>,
    #[serde(flatten)]
    extra: BTreeMap<&'a str, Json<'a>>,
}

impl<'a> Report<'a> {
    /// The report on an outcome. Without `with_bytes` output and state are named by length and hash only, as when a file took the bytes.
    pub fn new(outcome: &'a Outcome, with_output: bool, with_state: bool) -> Self {
        let code = if let Stop::Finished(code) = &outcome.stop { Some(*code) } else { None };
        Self {
            cell: outcome.engine,
            stop: outcome.stop.name(),
            code,
            fuel_used: outcome.usage.fuel,
            fuel_schedule: outcome.fuel_schedule,
            instructions: outcome.usage.instructions,
            memory_peak: outcome.usage.memory_peak,
            wall_us: outcome.usage.wall.as_micros(),
            value: outcome.value.as_ref().map(JsonArgument),
            stdout: String::from_utf8_lossy(&outcome.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&outcome.stderr).into_owned(),
            output: Buffer { bytes: &outcome.output, whole: with_output },
            state: outcome.state.as_deref().map(|bytes| Buffer { bytes, whole: with_state }),
            error: outcome.error().map(|error| JsonError {
                name: error.name,
                message: error.message,
                trace: error.trace.into_iter().map(JsonFrame::from).collect(),
            }),
            trap: if let Stop::Trapped(trap) = &outcome.stop {
                Some(JsonTrap { kind: trap.kind.name(), address: trap.address })
            } else {
                None
            },
            tickets: if let Stop::Waiting(tickets) = &outcome.stop { Some(tickets.iter().map(|ticket| ticket.0).collect()) } else { None },
            extra: outcome.extra.iter().map(|(name, value)| (*name, Json(value))).collect(),
        }
    }

    /// The object, on one line.
    ///
    /// # Errors
    /// None that a report can cause; those of the writer are `serde_json`'s.
    pub fn to_json(&self) -> Result<String, cell::Error> {
        serde_json::to_string(self).map_err(|error| cell::Error::Host(format!("cannot write the outcome as JSON: {error}")))
    }
}

#[derive(Debug, Serialize)]
struct JsonError {
    name: String,
    message: String,
    trace: Vec<JsonFrame>,
}

#[derive(Debug, Serialize)]
struct JsonTrap {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<u64>,
}

#[derive(Debug, Serialize)]
struct JsonFrame {
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<u64>,
}

impl From<TraceFrame> for JsonFrame {
    fn from(frame: TraceFrame) -> Self {
        Self { function: frame.function, file: frame.file, line: frame.line, column: frame.column, address: frame.address }
    }
}

/// A buffer by length, hash and, unless a file took it, contents.
#[derive(Debug)]
struct Buffer<'a> {
    bytes: &'a [u8],
    whole: bool,
}

impl Serialize for Buffer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("bytes", &self.bytes.len())?;
        map.serialize_entry("sha256", &sha256(self.bytes))?;
        if self.whole {
            map.serialize_entry("base64", &BASE64.encode(self.bytes))?;
        }
        map.end()
    }
}

/// The SHA-256 of some bytes, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A value as JSON: integers of any size as numbers, bytes as `{"bytes": length, "base64": …}`, floats that JSON has not as null.
#[derive(Debug)]
pub struct Json<'a>(pub &'a Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => match i64::try_from(value) {
                Ok(small) => serializer.serialize_i64(small),
                Err(_) => RawValue::from_string(value.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer),
            },
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("bytes", &bytes.len())?;
                map.serialize_entry("base64", &BASE64.encode(bytes))?;
                map.end()
            }
            Value::List(items) => serializer.collect_seq(items.iter().map(Json)),
            Value::Map(entries) => serializer.collect_map(entries.iter().map(|(key, value)| (key, Json(value)))),
        }
    }
}

/// As [`Json`]; a reference, which means nothing outside, becomes `{"ref": "…"}`.
#[derive(Debug)]
struct JsonArgument<'a>(&'a Argument);

impl Serialize for JsonArgument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Argument::Value(value) => Json(value).serialize(serializer),
            Argument::Lent(_) | Argument::Own(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("ref", if matches!(self.0, Argument::Own(_)) { "guest" } else { "host" })?;
                map.end()
            }
            Argument::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&JsonArgument(item))?;
                }
                list.end()
            }
            Argument::Map(entries) => serializer.collect_map(entries.iter().map(|(key, item)| (key, JsonArgument(item)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use cell::IBig;

    use super::*;

    #[test]
    fn values_keep_their_kind() {
        let big = IBig::from(10).pow(30);
        let value = Value::List(vec![
            Value::Null,
            true.into(),
            (-5).into(),
            big.into(),
            1.5.into(),
            f64::NAN.into(),
            "é".into(),
            vec![0u8, 255].into(),
            Value::Map([("k".to_owned(), Value::integer(1))].into_iter().collect()),
        ]);
        assert_eq!(
            serde_json::to_string(&Json(&value)).unwrap(),
            r#"[null,true,-5,1000000000000000000000000000000,1.5,null,"é",{"bytes":2,"base64":"AP8="},{"k":1}]"#
        );
    }
}
