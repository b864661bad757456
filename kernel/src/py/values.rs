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
pub struct MapColumns {
    times: Py<PyBytes>,
    offsets: Py<PyBytes>,
    key_index: Py<PyBytes>,
    keys: Py<PyList>,
    value_offsets: Py<PyBytes>,
    value_data: Py<PyBytes>,
}

impl MapColumns {
    pub fn new(py: Python, columns: &columns::MapColumns) -> PyResult<MapColumns> {
        let bytes = |data: &[u8]| PyBytes::new(py, data).unbind();
        Ok(MapColumns {
            times: bytes(&columns.times),
            offsets: bytes(&columns.offsets),
            key_index: bytes(&columns.key_index),
            keys: PyList::new(py, columns.keys.iter().map(|key| PyBytes::new(py, key)))?.unbind(),
            value_offsets: bytes(&columns.value_offsets),
            value_data: bytes(&columns.value_data),
        })
    }
}
