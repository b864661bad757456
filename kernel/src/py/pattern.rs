//! `Pattern`.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::PatternError;
use super::{is_quick, released};
use crate::batch::span::{CAPACITY, Hay};
use crate::bytes::Narrow;
use crate::pattern::{self, Found, Matcher};

#[pyclass(frozen, module = "tailrace_kernel")]
pub struct Pattern {
    engine: Arc<pattern::Pattern>,
}

impl Pattern {
    pub fn engine(&self) -> Arc<pattern::Pattern> {
        Arc::clone(&self.engine)
    }

    /// Runs `search`, without the GIL unless it is done soon.
    fn run<R: Send>(&self, py: Python, data: &[u8], search: impl FnOnce(Matcher) -> R + Send) -> PyResult<R> {
        if data.len() > CAPACITY {
            return Err(PyValueError::new_err("a value of 2 GiB or more cannot be matched"));
        }
        let quick = is_quick(data.len()) && self.engine.is_quick_on(data.len());
        Ok(released(py, quick, || search(self.engine.matcher())))
    }
}

#[pymethods]
impl Pattern {
    #[new]
    #[pyo3(signature = (pattern, *, dotall=true))]
    fn new(py: Python, pattern: &str, dotall: bool) -> PyResult<Pattern> {
        match py.detach(|| pattern::Pattern::compile(pattern, dotall)) {
            Ok(engine) => Ok(Pattern { engine: Arc::new(engine) }),
            Err(error) => {
                let raised = PatternError::new_err(format!("{} (at byte {})", error.reason, error.position));
                Err(raised.value(py).setattr("position", error.position).err().unwrap_or(raised))
            }
        }
    }

    #[getter]
    fn pattern(&self) -> &str {
        &self.engine.text
    }

    #[getter]
    fn groups(&self) -> usize {
        self.engine.groups()
    }

    #[getter]
    fn group_names(&self) -> Vec<Option<String>> {
        self.engine.names.clone()
    }

    #[getter(engine)]
    fn engine_name(&self) -> &'static str {
        self.engine.engine()
    }

    fn full_match<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Option<Vec<Option<Bound<'py, PyBytes>>>>> {
        let groups = self.run(py, data, |mut matcher| {
            let found = matcher.full::<Narrow>(Hay::alone(data));
            found.then(|| (1..=self.engine.groups()).map(|index| matcher.group(index)).collect::<Vec<_>>())
        })?;
        let bytes = |(start, end): (usize, usize)| PyBytes::new(py, &data[start..end]);
        Ok(groups.map(|groups| groups.into_iter().map(|group| group.map(bytes)).collect()))
    }

    fn prefix_match(&self, py: Python, data: &[u8]) -> PyResult<bool> {
        self.run(py, data, |mut matcher| matcher.prefix::<Narrow>(Hay::alone(data)))
    }

    fn search(&self, py: Python, data: &[u8]) -> PyResult<Option<(usize, usize)>> {
        self.run(py, data, |mut matcher| match matcher.find(data, 0) {
            Found::Yes => Ok(matcher.group(0)),
            Found::No => Ok(None),
            Found::GaveUp => Err(PyValueError::new_err("the value hits a limit of the pattern's engine")),
        })?
    }

    fn __repr__(&self) -> String {
        format!("Pattern({:?})", self.engine.text)
    }
}
