//! Results that are only looked at.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::{columns, parse};

#[pyclass(frozen, module = "tailrace_kernel")]
pub struct Failures {
    inner: parse::Failures,
}

impl From<parse::Failures> for Failures {
    fn from(inner: parse::Failures) -> Failures {
        Failures { inner }
    }
}

#[pymethods]
impl Failures {
    #[getter]
    fn count(&self) -> usize {
        self.inner.rows.len()
    }

    #[getter]
    fn removed(&self) -> usize {
        self.inner.removed
    }

    #[getter]
    fn sample<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.sample)
    }

    #[getter]
    fn partial(&self) -> usize {
        self.inner.partial
    }

    #[getter]
    fn partial_sample<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.partial_sample)
    }

    #[getter]
    fn rows(&self) -> Vec<u32> {
        self.inner.rows.clone()
    }
}

#[pyclass(frozen, get_all, module = "tailrace_kernel")]
pub struct Encoded {
    pub body: Py<PyBytes>,
    pub raw_size: usize,
    pub digest: String,
    pub events: usize,
}

#[pyclass(frozen, get_all, module = "tailrace_kernel")]
pub struct StoreColumns {
    times: Py<PyBytes>,
    ends: Py<PyBytes>,
    key_index: Py<PyBytes>,
    keys: Py<PyList>,
    values: Py<PyBytes>,
    fields: Py<PyList>,
}

impl StoreColumns {
    pub fn new(py: Python, columns: &columns::StoreColumns) -> PyResult<StoreColumns> {
        let bytes = |data: &[u8]| PyBytes::new(py, data).unbind();
        let list = |items: &[Vec<u8>]| Ok::<_, PyErr>(PyList::new(py, items.iter().map(|item| PyBytes::new(py, item)))?.unbind());
        Ok(StoreColumns {
            times: bytes(&columns.times),
            ends: bytes(&columns.ends),
            key_index: bytes(&columns.key_index),
            keys: list(&columns.keys)?,
            values: bytes(&columns.values),
            fields: list(&columns.fields)?,
        })
    }
}
