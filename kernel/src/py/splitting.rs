//! `EventBatch`: parsing what has no fixed number of fields, and rows that become several.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::batch::EventBatch;
use super::values::Failures;
use super::{released, too_big};
use crate::parse::{Policy, apsara, expand, key_value};

const NOTHING: &[u8] = b"";
const UNDERSCORE: &[u8] = b"_";
const EMPTY_KEY: &[u8] = b"empty_key_";
const NO_SEPARATOR_KEY: &[u8] = b"no_separator_key_";

#[pymethods]
impl EventBatch {
    #[pyo3(signature = (
        source, *, root=NOTHING, connector=UNDERSCORE, depth=0, arrays=false, keep_on_success=false, keep_on_fail=true, renamed=None, copy_raw=false
    ))]
    #[expect(clippy::too_many_arguments, reason = "the contract's own")]
    fn expand_json(
        &mut self,
        py: Python,
        source: &[u8],
        root: &[u8],
        connector: &[u8],
        depth: usize,
        arrays: bool,
        keep_on_success: bool,
        keep_on_fail: bool,
        renamed: Option<&[u8]>,
        copy_raw: bool,
    ) -> PyResult<Failures> {
        let policy = Policy { source, keep_on_success, keep_on_fail, renamed, copy_raw };
        let shape = expand::Shape { root, connector, depth, arrays };
        let quick = self.is_quick();
        let inner = &mut self.inner;
        released(py, quick, || expand::parse(inner, &policy, &shape)).map(Failures::from).map_err(too_big)
    }

    #[pyo3(signature = (
        source, delimiter, separator, *, quote=None, empty_key=EMPTY_KEY, no_separator_key=Some(NO_SEPARATOR_KEY),
        note_empty=true, note_loose=true, keep_on_success=false, keep_on_fail=true, renamed=None, copy_raw=false
    ))]
    #[expect(clippy::too_many_arguments, reason = "the contract's own")]
    fn parse_key_value(
        &mut self,
        py: Python,
        source: &[u8],
        delimiter: &[u8],
        separator: &[u8],
        quote: Option<&[u8]>,
        empty_key: &[u8],
        no_separator_key: Option<&[u8]>,
        note_empty: bool,
        note_loose: bool,
        keep_on_success: bool,
        keep_on_fail: bool,
        renamed: Option<&[u8]>,
        copy_raw: bool,
    ) -> PyResult<Failures> {
        if delimiter.is_empty() || separator.is_empty() || quote.is_some_and(<[u8]>::is_empty) {
            return Err(PyValueError::new_err("delimiter, separator and quote have at least one byte"));
        }
        let policy = Policy { source, keep_on_success, keep_on_fail, renamed, copy_raw };
        let shape = key_value::Shape { delimiter, separator, quote, empty_key, no_separator_key, note_empty, note_loose };
        let quick = self.is_quick();
        let inner = &mut self.inner;
        released(py, quick, || key_value::parse(inner, &policy, &shape)).map(Failures::from).map_err(too_big)
    }

    #[pyo3(signature = (source, *, utc_offset_secs, keep_on_success=false, keep_on_fail=true, renamed=None, copy_raw=false))]
    #[expect(clippy::too_many_arguments, reason = "the contract's own")]
    fn parse_apsara(
        &mut self,
        py: Python,
        source: &[u8],
        utc_offset_secs: i32,
        keep_on_success: bool,
        keep_on_fail: bool,
        renamed: Option<&[u8]>,
        copy_raw: bool,
    ) -> PyResult<Failures> {
        let policy = Policy { source, keep_on_success, keep_on_fail, renamed, copy_raw };
        let quick = self.is_quick();
        let inner = &mut self.inner;
        released(py, quick, || apsara::parse(inner, &policy, utc_offset_secs)).map(Failures::from).map_err(too_big)
    }

    #[pyo3(signature = (counts, starts=None))]
    fn repeat(&mut self, py: Python, counts: Vec<u32>, starts: Option<Vec<u32>>) -> PyResult<()> {
        let (rows, given) = (self.inner.len(), counts.len());
        if given != rows {
            return Err(PyValueError::new_err(format!("the batch has {rows} events, {given} values are given")));
        }
        let wanted: u64 = counts.iter().map(|count| u64::from(*count)).sum();
        if starts.as_ref().is_some_and(|starts| starts.len() as u64 != wanted) {
            return Err(PyValueError::new_err(format!("{wanted} events are made, but not as many starts are given")));
        }
        let quick = self.is_quick();
        let inner = &mut self.inner;
        released(py, quick, || inner.repeat(&counts, starts.as_deref())).map_err(too_big)
    }

    fn absent(&self, py: Python, key: &[u8]) -> usize {
        released(py, self.is_quick(), || self.inner.absent(key))
    }
}
