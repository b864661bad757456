//! `EventBatch`: making one, looking at it, sending it on. Parsing and shaping stand in `parsing`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use super::records::RecordRule;
use super::values::{Encoded, StoreColumns};
use super::{compression, digest, is_quick, one_per_row, refused, released, too_big};
use crate::batch::build::Event;
use crate::batch::{Batch, Block, Pair};
use crate::decode::{self, Bounds};
use crate::encode::Order;
use crate::pattern::Pattern;
use crate::split::{self, Origin};

#[pyclass(module = "tailrace_kernel")]
pub struct EventBatch {
    pub inner: Batch,
    tags: Py<PyList>,
}

/// The field of events that are not parsed yet.
const CONTENT: &[u8] = b"content";

type PyEvent = (i64, Vec<(PyBackedBytes, PyBackedBytes)>);

fn event((time, fields): PyEvent) -> Event {
    Event { time, fields: fields.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect() }
}

fn block(bytes: Bound<PyBytes>) -> Block {
    Box::new(PyBackedBytes::from(bytes))
}

fn pairs(tags: Vec<(PyBackedBytes, PyBackedBytes)>) -> Vec<Pair> {
    tags.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

impl EventBatch {
    fn new(py: Python, mut inner: Batch) -> PyResult<EventBatch> {
        let tags = std::mem::take(&mut inner.tags);
        let tags = tags.iter().map(|(key, value)| (PyBytes::new(py, key), PyBytes::new(py, value)));
        Ok(EventBatch { inner, tags: PyList::new(py, tags.collect::<Vec<_>>())?.unbind() })
    }

    /// Whether a walk over all of it is done soon.
    pub fn is_quick(&self) -> bool {
        is_quick(self.inner.size())
    }

    /// The same where a pattern is looked for in it.
    pub fn is_quick_with(&self, pattern: &Pattern) -> bool {
        self.is_quick() && pattern.is_quick_on(self.inner.size())
    }

    /// Rows `[first, end)` of a call that says where to begin and how many it wants.
    fn rows_of(&self, first: isize, count: Option<isize>) -> PyResult<(usize, usize)> {
        let rows = self.inner.len();
        let (Ok(first), Ok(count)) = (usize::try_from(first), usize::try_from(count.unwrap_or(isize::MAX))) else {
            return Err(PyValueError::new_err("rows are counted from 0"));
        };
        let first = first.min(rows);
        Ok((first, first.saturating_add(count).min(rows)))
    }

    /// Python objects of interned keys, made once.
    fn key_object<'py>(&self, py: Python<'py>, key: u32, made: &mut Vec<Option<Bound<'py, PyBytes>>>) -> Bound<'py, PyBytes> {
        let new = || PyBytes::new(py, self.inner.name(key));
        match made.get_mut(key as usize) {
            Some(slot) => slot.get_or_insert_with(new).clone(),
            None => new(),
        }
    }
}

#[pymethods]
impl EventBatch {
    #[staticmethod]
    #[pyo3(signature = (block, *, offset=0, time_ns=0, key=CONTENT))]
    fn split_lines(py: Python, block: Bound<PyBytes>, offset: u64, time_ns: i64, key: &[u8]) -> PyResult<EventBatch> {
        let block = self::block(block);
        let quick = is_quick(block.as_ref().as_ref().len());
        let inner = released(py, quick, || split::lines(block, &Origin { offset, time: time_ns, key }));
        EventBatch::new(py, inner.map_err(too_big)?)
    }

    #[staticmethod]
    #[pyo3(signature = (block, rule, *, offset=0, time_ns=0, key=CONTENT, discard_unmatched=false))]
    fn split_records(
        py: Python,
        block: Bound<PyBytes>,
        rule: &Bound<RecordRule>,
        offset: u64,
        time_ns: i64,
        key: &[u8],
        discard_unmatched: bool,
    ) -> PyResult<EventBatch> {
        let (block, rule) = (self::block(block), &rule.get().rule);
        let size = block.as_ref().as_ref().len();
        let quick = is_quick(size) && rule.is_quick_on(size);
        let inner = released(py, quick, || rule.split(block, &Origin { offset, time: time_ns, key }, discard_unmatched));
        EventBatch::new(py, inner.map_err(too_big)?)
    }

    #[staticmethod]
    fn from_events(py: Python, events: Vec<PyEvent>) -> PyResult<EventBatch> {
        let inner = py.detach(|| Batch::from_events(&events.into_iter().map(event).collect::<Vec<_>>()));
        EventBatch::new(py, inner.map_err(too_big)?)
    }

    #[staticmethod]
    #[pyo3(signature = (
        body, *, compression="none", raw_size=None, max_raw_size=31_457_280, max_events=512_000, max_fields=8_000_000,
        max_key=1_024, max_value=10_485_760, max_tags=1_024
    ))]
    #[expect(clippy::too_many_arguments, reason = "the contract's own")]
    fn decode(
        py: Python,
        body: Bound<PyBytes>,
        compression: &str,
        raw_size: Option<usize>,
        max_raw_size: usize,
        max_events: usize,
        max_fields: usize,
        max_key: usize,
        max_value: usize,
        max_tags: usize,
    ) -> PyResult<EventBatch> {
        let how = self::compression(compression)?;
        let bounds =
            Bounds { raw_size: max_raw_size, events: max_events, fields: max_fields, key: max_key, value: max_value, tags: max_tags };
        let body = block(body);
        let inner = py.detach(|| decode::decode(body, how, raw_size, &bounds));
        EventBatch::new(py, inner.map_err(|error| refused(py, error))?)
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    #[getter]
    fn topic<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.topic)
    }

    #[setter]
    fn set_topic(&mut self, topic: &[u8]) {
        self.inner.topic = topic.to_vec();
    }

    #[getter]
    fn source<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.source)
    }

    #[setter]
    fn set_source(&mut self, source: &[u8]) {
        self.inner.source = source.to_vec();
    }

    #[getter]
    fn tags(&self, py: Python) -> Py<PyList> {
        self.tags.clone_ref(py)
    }

    #[setter]
    fn set_tags(&mut self, tags: Py<PyList>) {
        self.tags = tags;
    }

    #[getter]
    fn discarded(&self) -> u64 {
        self.inner.discarded()
    }

    #[getter]
    fn memory(&self) -> usize {
        self.inner.memory()
    }

    #[getter]
    fn keys<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        let keys = released(py, self.is_quick(), || self.inner.distinct_keys(0, self.inner.len(), |_| {}));
        keys.into_iter().map(|key| PyBytes::new(py, self.inner.name(key))).collect()
    }

    fn column<'py>(&self, py: Python<'py>, key: &[u8]) -> Vec<Option<Bound<'py, PyBytes>>> {
        let spans = released(py, self.is_quick(), || self.inner.column(key));
        let bytes = self.inner.bytes();
        spans.into_iter().map(|span| span.map(|span| PyBytes::new(py, bytes.get(span)))).collect()
    }

    fn spans(&self, py: Python, key: &[u8]) -> Vec<Option<(usize, u32)>> {
        let spans = released(py, self.is_quick(), || self.inner.column(key));
        let lies_there = |span: &crate::batch::span::Span| self.inner.of_input() && !span.in_arena();
        spans.into_iter().map(|span| span.filter(lies_there).map(|span| (span.offset(), span.len))).collect()
    }

    #[getter]
    fn times(&self) -> Vec<i64> {
        self.inner.times().to_vec()
    }

    #[getter]
    fn raw_offsets(&self) -> Vec<u64> {
        self.inner.raw_offsets().to_vec()
    }

    #[getter]
    fn raw_lengths(&self) -> Vec<u32> {
        self.inner.raw_lengths().to_vec()
    }

    fn set_raw(&mut self, offsets: Vec<u64>, lengths: Vec<u32>) -> PyResult<()> {
        one_per_row(self.inner.len(), offsets.len())?;
        one_per_row(self.inner.len(), lengths.len())?;
        self.inner.set_raw(offsets, lengths);
        Ok(())
    }

    fn rows<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let bytes = self.inner.bytes();
        let mut keys = vec![None; crate::batch::keys::INTERNED];
        let rows = PyList::empty(py);
        for (row, time) in self.inner.times().iter().enumerate() {
            let fields = self.inner.row(row).iter();
            let fields = fields.map(|f| (self.key_object(py, f.key, &mut keys), PyBytes::new(py, bytes.get(f.span))));
            rows.append((time, PyList::new(py, fields)?))?;
        }
        Ok(rows)
    }

    fn replace(&mut self, py: Python, events: Vec<Option<PyEvent>>) -> PyResult<()> {
        if events.len() != self.inner.len() {
            let (rows, given) = (self.inner.len(), events.len());
            return Err(PyValueError::new_err(format!("the batch has {rows} events, {given} are put back")));
        }
        let inner = &mut self.inner;
        py.detach(|| inner.replace(&events.into_iter().map(|e| e.map(event)).collect::<Vec<_>>())).map_err(too_big)
    }

    #[pyo3(signature = (*, compression="lz4", digest="sha256", first=0, count=None, tags=Vec::new(), time_ns_part=false))]
    #[expect(clippy::too_many_arguments, reason = "the contract's own")]
    fn encode(
        &self,
        py: Python,
        compression: &str,
        digest: &str,
        first: isize,
        count: Option<isize>,
        tags: Vec<(PyBackedBytes, PyBackedBytes)>,
        time_ns_part: bool,
    ) -> PyResult<Encoded> {
        let (first, end) = self.rows_of(first, count)?;
        let mut all_tags: Vec<(PyBackedBytes, PyBackedBytes)> = self.tags.extract(py)?;
        all_tags.extend(tags);
        let tags = pairs(all_tags);
        let order =
            Order { compression: self::compression(compression)?, digest: self::digest(digest)?, first, end, tags: &tags, time_ns_part };
        let (body, raw_size, digest) = released(py, self.is_quick(), || {
            self.inner.encode(&order, |body, raw_size, digest| (Python::attach(|py| PyBytes::new(py, body).unbind()), raw_size, digest))
        })
        .map_err(too_big)?;
        Ok(Encoded { body, raw_size, digest, events: end - first })
    }

    #[pyo3(signature = (*, first=0, count=None, fields=Vec::new()))]
    fn store_columns(&self, py: Python, first: isize, count: Option<isize>, fields: Vec<PyBackedBytes>) -> PyResult<StoreColumns> {
        let (first, end) = self.rows_of(first, count)?;
        let names: Vec<&[u8]> = fields.iter().map(|name| &**name).collect();
        let columns = released(py, self.is_quick(), || self.inner.store_columns(first, end, &names));
        StoreColumns::new(py, &columns)
    }
}
