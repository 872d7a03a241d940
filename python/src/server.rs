//! The address of a CAS server, and the URLs below it.

use casque_proto::{
    CasBase, CasBaseError, Format, LoginMethod, LoginOptions, PgtUrl, ServiceUrl, ValidateOptions,
};
use pyo3::prelude::*;

use crate::options::endpoint as known_endpoint;
use crate::{errors, ticket};

/// A CAS server, by the URL that its endpoints are below, such as `https://cas.example.org/cas`.
///
/// A slash at its end makes no difference; a query or fragment is refused. Plain http is refused too, unless the host is
/// this machine or `allow_plain_http` is set. With `any_ticket`, tickets need not begin with `ST-` or `PT-`.
#[pyclass(frozen, module = "casque._core")]
pub(crate) struct Server {
    base: CasBase,
    any_ticket: bool,
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (base, *, allow_plain_http = false, login_page = None, any_ticket = false))]
    pub(crate) fn new(
        py: Python<'_>,
        base: &str,
        allow_plain_http: bool,
        login_page: Option<&str>,
        any_ticket: bool,
    ) -> PyResult<Self> {
        let wrong = |error: CasBaseError| errors::misuse(py, "server", error);
        let base = CasBase::parse_allowing_http(base).map_err(wrong)?;
        if !base.is_https() && !base.is_loopback() && !allow_plain_http {
            return Err(errors::misuse(
                py,
                "server",
                "it must begin with https:, or anybody on the way could sign in as anybody; for a network that is \
                 protected otherwise there is allow_plain_http=True",
            ));
        }
        let base = match login_page {
            Some(page) => base
                .with_login_page(page)
                .map_err(|error| errors::misuse(py, "login_page", error))?,
            None => base,
        };
        Ok(Self { base, any_ticket })
    }

    /// The URL, without a slash at its end.
    #[getter]
    fn base(&self) -> &str {
        self.base.as_str()
    }

    #[getter]
    fn is_https(&self) -> bool {
        self.base.is_https()
    }

    #[getter]
    fn is_loopback(&self) -> bool {
        self.base.is_loopback()
    }

    /// Where a browser logs in.
    #[pyo3(signature = (service, *, renew = false, gateway = false, method = None))]
    fn login_url(
        &self,
        py: Python<'_>,
        service: &str,
        renew: bool,
        gateway: bool,
        method: Option<&str>,
    ) -> PyResult<String> {
        if renew && gateway {
            let rule = "one says always ask, the other never ask: set one of them";
            return Err(errors::misuse(py, "renew and gateway", rule));
        }
        let mut options = LoginOptions::default().renew(renew).gateway(gateway);
        if let Some(name) = method {
            let method = LoginMethod::from_name(name)
                .ok_or_else(|| errors::misuse(py, "method", "GET, POST or HEADER"))?;
            options = options.method(method);
        }
        Ok(self
            .base
            .login_url(&parse_service(py, "service", service)?, &options))
    }

    /// The URL of an endpoint with these parameters, in order; every value is percent-encoded, whatever it holds.
    #[pyo3(signature = (endpoint, parameters = None))]
    fn endpoint_url(
        &self,
        py: Python<'_>,
        endpoint: &str,
        parameters: Option<Vec<(String, String)>>,
    ) -> PyResult<String> {
        let parameters = parameters.unwrap_or_default();
        let pairs: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Ok(self
            .base
            .endpoint_with(known_endpoint(py, endpoint)?, &pairs))
    }

    /// Raise Misuse unless the text may be a service.
    fn check_service(&self, py: Python<'_>, service: &str) -> PyResult<()> {
        parse_service(py, "service", service).map(drop)
    }

    /// Raise Misuse unless the text may be the address for proxy-granting tickets.
    fn check_pgt_url(&self, py: Python<'_>, pgt_url: &str) -> PyResult<()> {
        parse_pgt_url(py, pgt_url).map(drop)
    }

    /// Where a browser logs out, to come back to `service` if one is given.
    #[pyo3(signature = (service = None))]
    fn logout_url(&self, py: Python<'_>, service: Option<&str>) -> PyResult<String> {
        let service = service
            .map(|service| parse_service(py, "service", service))
            .transpose()?;
        Ok(self.base.logout_url(service.as_ref()))
    }

    /// Where a ticket is validated; `endpoint` is a path such as `/p3/serviceValidate`.
    #[pyo3(signature = (endpoint, service, ticket, *, renew = false, format = None, pgt_url = None))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn validate_url(
        &self,
        py: Python<'_>,
        endpoint: &str,
        service: &str,
        ticket: &str,
        renew: bool,
        format: Option<&str>,
        pgt_url: Option<&str>,
    ) -> PyResult<String> {
        let endpoint = known_endpoint(py, endpoint)?;
        let service = parse_service(py, "service", service)?;
        let ticket = ticket::service_ticket(py, ticket, self.any_ticket)?;
        let mut options = ValidateOptions::default().renew(renew);
        if let Some(name) = format {
            let format = Format::from_name(name)
                .ok_or_else(|| errors::misuse(py, "format", "XML or JSON"))?;
            options = options.format(format);
        }
        if let Some(url) = pgt_url {
            options = options.pgt_url(parse_pgt_url(py, url)?);
        }
        Ok(self
            .base
            .validate_url(endpoint, &service, &ticket, &options))
    }

    /// Where a proxy ticket is obtained.
    fn proxy_url(&self, py: Python<'_>, pgt: &str, target_service: &str) -> PyResult<String> {
        let pgt = ticket::proxy_granting_ticket(py, pgt)?;
        let target = parse_service(py, "target_service", target_service)?;
        Ok(self.base.proxy_url(&pgt, &target))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let base = self.base.as_str().into_pyobject(py)?.repr()?;
        Ok(format!("<Server {}>", base.to_str()?))
    }
}

/// Where a browser logs in at the server `base`: `Server(base).login_url(…)`.
#[pyfunction]
#[pyo3(signature = (base, service, *, renew = false, gateway = false, method = None, allow_plain_http = false))]
pub(crate) fn login_url(
    py: Python<'_>,
    base: &str,
    service: &str,
    renew: bool,
    gateway: bool,
    method: Option<&str>,
    allow_plain_http: bool,
) -> PyResult<String> {
    Server::new(py, base, allow_plain_http, None, false)?
        .login_url(py, service, renew, gateway, method)
}

/// Where a browser logs out at the server `base`: `Server(base).logout_url(…)`.
#[pyfunction]
#[pyo3(signature = (base, service = None, *, allow_plain_http = false))]
pub(crate) fn logout_url(
    py: Python<'_>,
    base: &str,
    service: Option<&str>,
    allow_plain_http: bool,
) -> PyResult<String> {
    Server::new(py, base, allow_plain_http, None, false)?.logout_url(py, service)
}

/// Where a ticket is validated at the server `base`: `Server(base).validate_url(…)`.
#[pyfunction]
#[pyo3(signature = (base, endpoint, service, ticket, *, renew = false, format = None, pgt_url = None, allow_plain_http = false))]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub(crate) fn validate_url(
    py: Python<'_>,
    base: &str,
    endpoint: &str,
    service: &str,
    ticket: &str,
    renew: bool,
    format: Option<&str>,
    pgt_url: Option<&str>,
    allow_plain_http: bool,
) -> PyResult<String> {
    Server::new(py, base, allow_plain_http, None, false)?
        .validate_url(py, endpoint, service, ticket, renew, format, pgt_url)
}

/// Where a proxy ticket is obtained at the server `base`: `Server(base).proxy_url(…)`.
#[pyfunction]
#[pyo3(signature = (base, pgt, target_service, *, allow_plain_http = false))]
pub(crate) fn proxy_url(
    py: Python<'_>,
    base: &str,
    pgt: &str,
    target_service: &str,
    allow_plain_http: bool,
) -> PyResult<String> {
    Server::new(py, base, allow_plain_http, None, false)?.proxy_url(py, pgt, target_service)
}

fn parse_service(py: Python<'_>, what: &str, text: &str) -> PyResult<ServiceUrl> {
    ServiceUrl::parse(text).map_err(|error| errors::misuse(py, what, error))
}

fn parse_pgt_url(py: Python<'_>, text: &str) -> PyResult<PgtUrl> {
    PgtUrl::parse(text).map_err(|error| errors::misuse(py, "pgt_url", error))
}
