//! Functions of the module.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::records::RecordRule;
use super::{compression, is_quick, refused, released, too_big};
use crate::batch::TooBig;
use crate::{compress as packing, digest, split};

#[pyfunction]
#[pyo3(signature = (block, rule=None))]
pub fn record_end(py: Python, block: &[u8], rule: Option<&Bound<RecordRule>>) -> usize {
    let rule = rule.map(|rule| &rule.get().rule);
    let quick = is_quick(block.len()) && rule.is_none_or(|rule| rule.is_quick_on(block.len()));
    released(py, quick, || rule.map_or_else(|| split::line_end(block), |rule| rule.end(block)))
}

#[pyfunction]
pub fn fingerprint<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    let hash = released(py, is_quick(data.len()), || digest::fingerprint(data));
    PyBytes::new(py, &hash)
}

#[pyfunction]
#[pyo3(signature = (data, compression))]
pub fn compress<'py>(py: Python<'py>, data: &[u8], compression: &str) -> PyResult<Bound<'py, PyBytes>> {
    let how = self::compression(compression)?;
    let mut packed = Vec::new();
    py.detach(|| packing::compress(data, how, &mut packed)).ok_or_else(|| too_big(TooBig))?;
    Ok(PyBytes::new(py, &packed))
}

#[pyfunction]
#[pyo3(signature = (data, compression, *, max_size, raw_size=None))]
pub fn decompress<'py>(
    py: Python<'py>,
    data: &[u8],
    compression: &str,
    max_size: usize,
    raw_size: Option<usize>,
) -> PyResult<Bound<'py, PyBytes>> {
    let how = self::compression(compression)?;
    let raw = py.detach(|| packing::decompress(data, how, max_size, raw_size)).map_err(|error| refused(py, error))?;
    Ok(PyBytes::new(py, &raw))
}
