//! The Python module. The only place that names PyO3: it turns arguments into the engine's types, releases the GIL and turns
//! results back.

mod batch;
mod functions;
mod parsing;
mod pattern;
mod records;
mod splitting;
mod values;

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::marker::Ungil;
use pyo3::prelude::*;

use crate::batch::TooBig;
use crate::compress::{Compression, Reason, Refused};
use crate::digest::Digest;

create_exception!(tailrace_kernel, PatternError, PyValueError);
create_exception!(tailrace_kernel, DecodeError, PyValueError);

#[pymodule]
fn tailrace_kernel(module: &Bound<PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("PatternError", module.py().get_type::<PatternError>())?;
    module.add("DecodeError", module.py().get_type::<DecodeError>())?;
    module.add_class::<pattern::Pattern>()?;
    module.add_class::<records::RecordRule>()?;
    module.add_class::<values::Failures>()?;
    module.add_class::<values::Encoded>()?;
    module.add_class::<values::StoreColumns>()?;
    module.add_class::<batch::EventBatch>()?;
    module.add_function(wrap_pyfunction!(functions::record_end, module)?)?;
    module.add_function(wrap_pyfunction!(functions::fingerprint, module)?)?;
    module.add_function(wrap_pyfunction!(functions::compress, module)?)?;
    module.add_function(wrap_pyfunction!(functions::decompress, module)?)?;
    Ok(())
}

/// Work on fewer bytes takes microseconds: less than to give the GIL away and to get it back, which is up to 5 ms where others compute.
const FEW_BYTES: usize = 4096;

fn is_quick(bytes: usize) -> bool {
    bytes < FEW_BYTES
}

/// Runs `work`: without the GIL, unless it is `quick`.
fn released<T: Ungil>(py: Python, quick: bool, work: impl FnOnce() -> T + Ungil) -> T {
    if quick { work() } else { py.detach(work) }
}

fn too_big(error: TooBig) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn refused(py: Python, error: Refused) -> PyErr {
    let reason = match error.reason {
        Reason::Malformed => "malformed",
        Reason::TooLarge => "too_large",
        Reason::TooMany => "too_many",
        Reason::WrongSize => "wrong_size",
    };
    let raised = DecodeError::new_err(error.text);
    // Setting an attribute of a fresh exception only fails without memory, which then is the error to see.
    raised.value(py).setattr("reason", reason).err().unwrap_or(raised)
}

fn compression(name: &str) -> PyResult<Compression> {
    match name {
        "none" => Ok(Compression::None),
        "lz4" => Ok(Compression::Lz4),
        "zstd" => Ok(Compression::Zstd),
        "deflate" => Ok(Compression::Deflate),
        other => Err(PyValueError::new_err(format!("the compression `{other}` is not known"))),
    }
}

fn digest(name: &str) -> PyResult<Digest> {
    match name {
        "none" => Ok(Digest::None),
        "md5" => Ok(Digest::Md5),
        "sha256" => Ok(Digest::Sha256),
        other => Err(PyValueError::new_err(format!("the digest `{other}` is not known"))),
    }
}

fn one_per_row(rows: usize, given: usize) -> PyResult<()> {
    if rows == given {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("the batch has {rows} events, {given} values are given")))
}
