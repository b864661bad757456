//! `EventBatch`: parsing and shaping.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use super::batch::EventBatch;
use super::pattern::Pattern;
use super::values::Failures;
use super::{one_per_row, released, too_big};
use crate::mask::{Order, Replacement};
use crate::parse::delimiter::{self, Overflow, Shape};
use crate::parse::time::Clock;
use crate::parse::{Policy, json, regex, time_format};

fn slices(keys: &[PyBackedBytes]) -> Vec<&[u8]> {
    keys.iter().map(|key| &**key).collect()
}

#[pymethods]
impl EventBatch {
    #[pyo3(signature = (source, pattern, keys, *, omit_empty=false, keep_on_success=false, keep_on_fail=true, renamed=None, copy_raw=false))]
    #[expect(clippy::too_many_arguments, reason = "the contract's own")]
    fn parse_regex(
        &mut self,
        py: Python,
        source: &[u8],
        pattern: &Bound<Pattern>,
        keys: Vec<PyBackedBytes>,
        omit_empty: bool,
        keep_on_success: bool,
        keep_on_fail: bool,
        renamed: Option<&[u8]>,
        copy_raw: bool,
    ) -> PyResult<Failures> {
        let pattern = pattern.get().engine();
        if keys.len() != pattern.groups() {
            let (groups, given) = (pattern.groups(), keys.len());
            return Err(PyValueError::new_err(format!("the pattern has {groups} groups, but there are {given} keys")));
        }
        let policy = Policy { source, keep_on_success, keep_on_fail, renamed, copy_raw };
        let quick = self.is_quick_with(&pattern);
        let inner = &mut self.inner;
        released(py, quick, || regex::parse(inner, &policy, &pattern, &slices(&keys), omit_empty)).map(Failures::from).map_err(too_big)
    }

    #[pyo3(signature = (source, *, keep_on_success=false, keep_on_fail=true, renamed=None, copy_raw=false))]
    fn parse_json(
        &mut self,
        py: Python,
        source: &[u8],
        keep_on_success: bool,
        keep_on_fail: bool,
        renamed: Option<&[u8]>,
        copy_raw: bool,
    ) -> PyResult<Failures> {
        let policy = Policy { source, keep_on_success, keep_on_fail, renamed, copy_raw };
        let quick = self.is_quick();
        let inner = &mut self.inner;
        released(py, quick, || json::parse(inner, &policy)).map(Failures::from).map_err(too_big)
    }

    #[pyo3(signature = (
        source, separator, keys, *, quote=None, trim=false, allow_short=true, overflow="extend", surplus=None,
        keep_on_success=false, keep_on_fail=true, renamed=None, copy_raw=false
    ))]
    #[expect(clippy::too_many_arguments, reason = "the contract's own")]
    fn parse_delimiter(
        &mut self,
        py: Python,
        source: &[u8],
        separator: &[u8],
        keys: Vec<PyBackedBytes>,
        quote: Option<&[u8]>,
        trim: bool,
        allow_short: bool,
        overflow: &str,
        surplus: Option<&[u8]>,
        keep_on_success: bool,
        keep_on_fail: bool,
        renamed: Option<&[u8]>,
        copy_raw: bool,
    ) -> PyResult<Failures> {
        let keys = slices(&keys);
        let quote = quote_byte(separator, quote)?;
        if trim && quote.is_none() {
            return Err(PyValueError::new_err("`trim` goes with a quote"));
        }
        let shape = Shape { separator, quote, trim, keys: &keys, allow_short, overflow: overflow_of(overflow)?, surplus };
        let policy = Policy { source, keep_on_success, keep_on_fail, renamed, copy_raw };
        let quick = self.is_quick();
        let inner = &mut self.inner;
        released(py, quick, || delimiter::parse(inner, &policy, &shape)).map(Failures::from).map_err(too_big)
    }

    #[pyo3(signature = (source, format, *, utc_offset_secs, year=None, now_ns=0, keep_source=true))]
    #[expect(clippy::too_many_arguments, reason = "the contract's own")]
    fn parse_time(
        &mut self,
        py: Python,
        source: &[u8],
        format: &str,
        utc_offset_secs: i32,
        year: Option<i32>,
        now_ns: i64,
        keep_source: bool,
    ) -> PyResult<Failures> {
        let tokens =
            time_format::compile(format).map_err(|reason| PyValueError::new_err(format!("the time format `{format}` has {reason}")))?;
        let clock = Clock { offset: utc_offset_secs, year, now: now_ns };
        let quick = self.is_quick();
        let inner = &mut self.inner;
        Ok(released(py, quick, || inner.parse_time(source, &tokens, clock, keep_source)).into())
    }

    #[pyo3(signature = (conditions, *, exclude=false))]
    fn filter(&mut self, py: Python, conditions: Vec<(PyBackedBytes, Bound<Pattern>)>, exclude: bool) -> usize {
        let conditions: Vec<(PyBackedBytes, Arc<_>)> = conditions.into_iter().map(|(key, pattern)| (key, pattern.get().engine())).collect();
        let quick = conditions.iter().all(|(_, pattern)| self.is_quick_with(pattern));
        let inner = &mut self.inner;
        released(py, quick, || {
            let conditions: Vec<(&[u8], &_)> = conditions.iter().map(|(key, pattern)| (&**key, &**pattern)).collect();
            inner.filter(&conditions, exclude)
        })
    }

    #[pyo3(signature = (key, pattern, *, anywhere=false))]
    fn matching(&self, py: Python, key: &[u8], pattern: &Bound<Pattern>, anywhere: bool) -> Vec<bool> {
        let pattern = pattern.get().engine();
        let quick = self.is_quick_with(&pattern);
        let inner = &self.inner;
        released(py, quick, || inner.matching(key, &pattern, anywhere))
    }

    fn utf8_rows(&self, py: Python) -> Vec<bool> {
        let quick = self.is_quick();
        let inner = &self.inner;
        released(py, quick, || inner.utf8_rows())
    }

    #[pyo3(signature = (source, pattern, replacement, *, all=true, instead=None))]
    fn mask(
        &mut self,
        py: Python,
        source: &[u8],
        pattern: &Bound<Pattern>,
        replacement: &[u8],
        all: bool,
        instead: Option<&[u8]>,
    ) -> PyResult<Failures> {
        let pattern = pattern.get().engine();
        let replacement = Replacement::compile(replacement);
        if replacement.largest_group() > pattern.groups() {
            let (wanted, groups) = (replacement.largest_group(), pattern.groups());
            return Err(PyValueError::new_err(format!("the replacement refers to group {wanted}, but the pattern has {groups} groups")));
        }
        let quick = self.is_quick_with(&pattern);
        let inner = &mut self.inner;
        released(py, quick, || inner.mask(source, &pattern, &Order { replacement: &replacement, all, instead }))
            .map(Failures::from)
            .map_err(too_big)
    }

    fn rename(&mut self, py: Python, old: &[u8], new: &[u8]) -> PyResult<usize> {
        let quick = self.is_quick();
        let inner = &mut self.inner;
        released(py, quick, || inner.rename(old, new)).map_err(too_big)
    }

    fn drop(&mut self, py: Python, keys: Vec<PyBackedBytes>) {
        let quick = self.is_quick();
        let inner = &mut self.inner;
        released(py, quick, || inner.drop(&slices(&keys)));
    }

    #[pyo3(signature = (key, value, *, overwrite=true))]
    fn add(&mut self, py: Python, key: &[u8], value: &[u8], overwrite: bool) -> PyResult<()> {
        let quick = self.is_quick();
        let inner = &mut self.inner;
        released(py, quick, || inner.add(key, value, overwrite)).map_err(too_big)
    }

    fn set_column(&mut self, py: Python, key: &[u8], values: Vec<Option<PyBackedBytes>>) -> PyResult<()> {
        one_per_row(self.inner.len(), values.len())?;
        let quick = self.is_quick();
        let inner = &mut self.inner;
        released(py, quick, || {
            let values: Vec<Option<&[u8]>> = values.iter().map(Option::as_deref).collect();
            inner.set_column(key, &values)
        })
        .map_err(too_big)
    }

    fn set_times(&mut self, values: Vec<i64>) -> PyResult<()> {
        one_per_row(self.inner.len(), values.len())?;
        self.inner.set_times(values);
        Ok(())
    }

    fn keep_rows(&mut self, py: Python, kept: Vec<bool>) -> PyResult<usize> {
        one_per_row(self.inner.len(), kept.len())?;
        let quick = self.is_quick();
        let inner = &mut self.inner;
        Ok(released(py, quick, || inner.keep_rows(&kept)))
    }

    fn reorder(&mut self, py: Python, order: Vec<usize>) -> PyResult<()> {
        one_per_row(self.inner.len(), order.len())?;
        let quick = self.is_quick();
        let inner = &mut self.inner;
        if released(py, quick, || inner.reorder(&order)) { Ok(()) } else { Err(PyValueError::new_err("an order names every row once")) }
    }

    #[pyo3(signature = (lower_ns=None, upper_ns=None))]
    fn keep_times(&mut self, py: Python, lower_ns: Option<i64>, upper_ns: Option<i64>) -> usize {
        let quick = self.is_quick();
        let inner = &mut self.inner;
        released(py, quick, || inner.keep_times(lower_ns.unwrap_or(i64::MIN), upper_ns.unwrap_or(i64::MAX)))
    }
}

fn quote_byte(separator: &[u8], quote: Option<&[u8]>) -> PyResult<Option<u8>> {
    if separator.is_empty() {
        return Err(PyValueError::new_err("a separator has at least one byte"));
    }
    match (quote, separator) {
        (None, _) => Ok(None),
        (Some([quote]), [separator]) if quote != separator => Ok(Some(*quote)),
        _ => Err(PyValueError::new_err("a quote is one byte, goes with a separator of one byte, and differs from it")),
    }
}

fn overflow_of(name: &str) -> PyResult<Overflow> {
    match name {
        "extend" => Ok(Overflow::Extend),
        "keep" => Ok(Overflow::Keep),
        "discard" => Ok(Overflow::Discard),
        other => Err(PyValueError::new_err(format!("`{other}` is no way to treat surplus fields: use extend, keep or discard"))),
    }
}
