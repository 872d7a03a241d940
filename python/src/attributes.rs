//! `casque.Attributes`: what the server says about the user.

use std::sync::Arc;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyMapping, PyString, PyTuple};

use crate::assertion::Source;

/// Attributes of a user: a read-only mapping from names to lists of values.
///
/// Every value is text, and every name has a list, however many values there are: `attributes["mail"]` is a list,
/// `attributes.first("mail")` is a text or None.
#[pyclass(frozen, mapping, module = "casque")]
pub(crate) struct Attributes {
    source: Arc<Source>,
}

impl Attributes {
    pub(crate) fn of(source: &Arc<Source>) -> Self {
        Self {
            source: Arc::clone(source),
        }
    }

    fn inner(&self) -> &casque_proto::Attributes {
        self.source.attributes()
    }
}

#[pymethods]
impl Attributes {
    #[new]
    #[pyo3(signature = (attributes = None, /))]
    fn new(attributes: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let attributes = attributes.map(from_python).transpose()?.unwrap_or_default();
        Ok(Self {
            source: Arc::new(Source::of_attributes(attributes)),
        })
    }

    /// The first value of `name`, or `default` if it has none.
    #[pyo3(signature = (name, default = None))]
    fn first<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> Option<Bound<'py, PyAny>> {
        match self.inner().first(name) {
            Some(value) => Some(PyString::new(py, value).into_any()),
            None => default,
        }
    }

    /// The values of `name`, or `default` if it is not there.
    #[pyo3(signature = (name, default = None, /))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.values_of(name) {
            Some(values) => Ok(Some(PyList::new(py, values)?.into_any())),
            None => Ok(default),
        }
    }

    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.to_dict(py)?.call_method0("keys")
    }

    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.to_dict(py)?.call_method0("values")
    }

    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.to_dict(py)?.call_method0("items")
    }

    /// A dict of lists, the caller's own.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, values) in self.inner().iter() {
            dict.set_item(name, PyList::new(py, values)?)?;
        }
        Ok(dict)
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        match self.values_of(name) {
            Some(values) => PyList::new(py, values),
            None => Err(PyKeyError::new_err(name.clone().unbind())),
        }
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
        self.values_of(name).is_some()
    }

    fn __len__(&self) -> usize {
        self.inner().len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.inner().iter().map(|(name, _)| name))?.try_iter()
    }

    fn __eq__<'py>(
        &self,
        py: Python<'py>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(other) = other.cast::<Self>() {
            let equal = self.inner() == other.get().inner();
            return Ok(equal.into_pyobject(py)?.to_owned().into_any());
        }
        if other.is_instance_of::<PyDict>() {
            return Ok(self
                .to_dict(py)?
                .eq(other)?
                .into_pyobject(py)?
                .to_owned()
                .into_any());
        }
        Ok(py.NotImplemented().into_bound(py))
    }

    /// The names only: values may be personal, or secret.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<Attributes {}>", self.names(py)?))
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let class = py.get_type::<Self>().into_any();
        Ok((class, PyTuple::new(py, [self.to_dict(py)?])?))
    }
}

impl Attributes {
    /// The names as Python writes a list of them.
    pub(crate) fn names(&self, py: Python<'_>) -> PyResult<String> {
        let names = PyList::new(py, self.inner().iter().map(|(name, _)| name))?;
        Ok(names.repr()?.to_str()?.to_owned())
    }

    fn values_of(&self, name: &Bound<'_, PyAny>) -> Option<&[String]> {
        let name = name.cast::<PyString>().ok()?.to_str().ok()?;
        let values = self.inner().get(name);
        (!values.is_empty() || self.inner().contains(name)).then_some(values)
    }
}

/// A mapping from names to a text or a list of texts.
pub(crate) fn from_python(mapping: &Bound<'_, PyAny>) -> PyResult<casque_proto::Attributes> {
    let mut attributes = casque_proto::Attributes::new();
    for item in mapping.cast::<PyMapping>()?.items()? {
        let (name, values): (String, Bound<'_, PyAny>) = item.extract()?;
        let values = if values.is_instance_of::<PyString>() {
            vec![values.extract()?]
        } else {
            values
                .try_iter()?
                .map(|value| value?.extract())
                .collect::<PyResult<Vec<String>>>()?
        };
        attributes.insert(name, values);
    }
    Ok(attributes)
}
