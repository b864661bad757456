//! `RecordRule`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::pattern::Pattern;
use super::{is_quick, released};
use crate::records::{Patterns, Rule};

const NOTHING: &[u8] = b"";

#[pyclass(frozen, module = "tailrace_kernel")]
pub struct RecordRule {
    pub rule: Rule,
}

impl RecordRule {
    fn is_quick(&self, block: &[u8], begun: &[u8]) -> bool {
        let size = block.len() + begun.len();
        is_quick(size) && self.rule.is_quick_on(size)
    }
}

#[pymethods]
impl RecordRule {
    #[new]
    #[pyo3(signature = (start=None, more=None, end=None, *, limit=None))]
    fn new(
        start: Option<&Bound<Pattern>>,
        more: Option<&Bound<Pattern>>,
        end: Option<&Bound<Pattern>>,
        limit: Option<usize>,
    ) -> PyResult<RecordRule> {
        let engine = |pattern: Option<&Bound<Pattern>>| pattern.map(|pattern| pattern.get().engine());
        match Patterns::new(engine(start), engine(more), engine(end), limit.unwrap_or(usize::MAX)) {
            Some(patterns) => Ok(RecordRule { rule: Rule::Patterns(patterns) }),
            None => Err(PyValueError::new_err("records are told apart by start, start and more, start and end, more and end, or end")),
        }
    }

    #[staticmethod]
    fn objects() -> RecordRule {
        RecordRule { rule: Rule::Objects }
    }

    #[pyo3(signature = (block, state, *, begun=NOTHING, last=false))]
    fn rest(&self, py: Python, block: &[u8], state: u64, begun: &[u8], last: bool) -> Option<usize> {
        released(py, self.is_quick(block, begun), || self.rule.rest(block, state, begun, last))
    }

    #[pyo3(signature = (block, state=0, *, begun=NOTHING))]
    fn state(&self, py: Python, block: &[u8], state: u64, begun: &[u8]) -> u64 {
        released(py, self.is_quick(block, begun), || self.rule.state(block, state, begun))
    }
}
