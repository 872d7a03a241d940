//! Settings from the environment or a `.env` file, as the seed has them.

use std::path::Path;

use casque_proto::Endpoint;
use url::Url;

use crate::dotenv::Dotenv;
use crate::error::CasError;

/// The settings an application is usually given: `CAS_PROVIDER`, `SERVICE_URL` and `LOGIN_URL`.
///
/// ```
/// use casque_app::Settings;
///
/// let file = r#"
/// CAS_PROVIDER="https://cas.example.com/"
/// SERVICE_URL="https://app.example.org"
/// LOGIN_URL="https://app.example.org/login"
/// "#;
/// let settings = Settings::parse(file, |_| None)?;
/// assert_eq!(settings.provider(), "https://cas.example.com");
/// assert_eq!(settings.base(), "https://app.example.org");
/// assert_eq!(settings.login_path(), "/login");
/// # Ok::<(), casque_app::CasError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    provider: String,
    base: String,
    login_path: String,
}

impl Settings {
    /// Reads the environment of the process, and the file `.env` in the current folder for what
    /// the environment does not say.
    ///
    /// # Errors
    ///
    /// [`CasError`] naming the setting, its value and what to change.
    pub fn from_env() -> Result<Self, CasError> {
        let file = match std::fs::read(Path::new(".env")) {
            Ok(bytes) => Dotenv::parse(&String::from_utf8_lossy(&bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Dotenv::default(),
            Err(error) => Dotenv::unreadable(&error),
        };
        Self::of(&file, |name| std::env::var(name).ok())
    }

    /// Reads the text of a `.env` file; `environment` wins where it has a value, and one that is
    /// empty is none.
    ///
    /// Lines that cannot be read, of whatever the file holds besides, matter only where a needed
    /// setting is missing: the error names them then, without their text.
    ///
    /// # Errors
    ///
    /// [`CasError`] naming the setting, its value and what to change.
    pub fn parse(
        file: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, CasError> {
        Self::of(&Dotenv::parse(file), environment)
    }

    /// The text of one setting where [`parse`](Self::parse) looks for it, not judged. For tools that explain settings.
    ///
    /// ```
    /// # use casque_app::Settings;
    /// let said = Settings::said("CAS_PROVIDER='cas.example.org'", |_| None, "CAS_PROVIDER");
    /// assert_eq!(said.as_deref(), Some("cas.example.org"));
    /// ```
    pub fn said(
        file: &str,
        environment: impl Fn(&str) -> Option<String>,
        name: &str,
    ) -> Option<String> {
        lookup(&Dotenv::parse(file), &environment, name)
    }

    /// A base URL of a CAS server as `CAS_PROVIDER` is judged, without a trailing slash.
    ///
    /// # Errors
    ///
    /// [`CasError`] naming the value and what to change, as where it is the address of the login page.
    pub fn provider_url(text: &str) -> Result<String, CasError> {
        Ok(without_slash(base_of_server(text)?.as_str()).to_owned())
    }

    fn of(file: &Dotenv, environment: impl Fn(&str) -> Option<String>) -> Result<Self, CasError> {
        let lookup = |name: &str| lookup(file, &environment, name);
        let required = |name: &'static str, example: &str| {
            lookup(name).ok_or_else(|| {
                CasError::setting(
                    name,
                    "",
                    &format!("it is not set{}", file.told_faults()),
                    &format!(
                        "set it in the environment or in .env, for example {name}=\"{example}\""
                    ),
                )
            })
        };
        let provider = required("CAS_PROVIDER", "https://cas.example.org/cas")?;
        let service = required("SERVICE_URL", "https://app.example.org")?;
        let login = lookup("LOGIN_URL");
        if login.is_none()
            && let Some(fault) = file.fault_of("LOGIN_URL")
        {
            return Err(CasError::setting(
                "LOGIN_URL",
                "",
                &format!("it cannot be read in .env, {fault}"),
                "write LOGIN_URL=\"https://app.example.org/login\"",
            ));
        }

        let provider = Self::provider_url(&provider)?;
        let (base, login_path) = own_addresses(&service, login.as_deref())?;
        Ok(Self {
            provider,
            base,
            login_path,
        })
    }

    /// Base URL of the CAS server, without a trailing slash.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The application's own base URL (origin and path prefix), without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The path below [`base`](Self::base) that starts a login and that the browser comes back to.
    /// Its URL is the one service for login *and* validation (R-108), with a trailing slash exactly
    /// where `LOGIN_URL` has one; the page is then found without the slash, too.
    pub fn login_path(&self) -> &str {
        &self.login_path
    }
}

/// The environment wins where it says something.
fn lookup(
    file: &Dotenv,
    environment: impl Fn(&str) -> Option<String>,
    name: &str,
) -> Option<String> {
    let said = |value: &str| Some(value.trim().to_owned()).filter(|value| !value.is_empty());
    environment(name)
        .and_then(|value| said(without_quotes(value.trim())))
        .or_else(|| said(file.values.get(name)?))
}

/// The base URL in `CAS_PROVIDER`, and not that of one of its endpoints.
fn base_of_server(value: &str) -> Result<Url, CasError> {
    let url = plain_url("CAS_PROVIDER", value)?;
    let path = without_slash(url.path());
    // What is copied from a browser or from the settings of another client. Longest first.
    let copied = [
        Endpoint::P3ServiceValidate,
        Endpoint::P3ProxyValidate,
        Endpoint::ServiceValidate,
        Endpoint::ProxyValidate,
        Endpoint::SamlValidate,
        Endpoint::Validate,
        Endpoint::Login,
        Endpoint::Logout,
    ];
    let found = copied.into_iter().find_map(|endpoint| {
        let base = path.strip_suffix(endpoint.path())?.strip_suffix('/')?;
        Some((endpoint, base))
    });
    match found {
        None => Ok(url),
        Some((endpoint, base)) => Err(CasError::setting(
            "CAS_PROVIDER",
            value,
            &format!(
                "it is the address of an endpoint, /{}, not of the CAS server",
                endpoint.path()
            ),
            &format!("write CAS_PROVIDER=\"{}{base}\"", origin_of(&url)),
        )),
    }
}

/// Works out which addresses `SERVICE_URL` and `LOGIN_URL` mean.
///
/// The seed sends `LOGIN_URL` as the service at login and `SERVICE_URL` at validation, which a
/// strict CAS server refuses. What was meant is one service, the login page of that application.
fn own_addresses(service: &str, login: Option<&str>) -> Result<(String, String), CasError> {
    let service_url = plain_url("SERVICE_URL", service)?;
    let prefix = service_url.path().trim_end_matches('/');
    let Some(login) = login else {
        return Ok((
            format!("{}{prefix}", origin_of(&service_url)),
            "/login".to_owned(),
        ));
    };
    let absolute = relative_login(login, &origin_of(&service_url), prefix);
    let login_url = plain_url("LOGIN_URL", absolute.as_deref().unwrap_or(login))?;
    if service_url.origin() != login_url.origin() {
        return Err(CasError::TwoOrigins {
            service_url: service.to_owned(),
            login_url: login.to_owned(),
            difference: difference(&service_url, &login_url),
            suggestion: format!("{}{}", origin_of(&service_url), login_url.path()),
        });
    }
    let login_path = login_url.path();
    if login_path == "/" {
        return Err(CasError::setting(
            "LOGIN_URL",
            login,
            "it is the homepage, but every request to it would start a login",
            &format!(
                "give the login page a path of its own, for example LOGIN_URL=\"{}/login\"",
                origin_of(&login_url)
            ),
        ));
    }
    if prefix == login_path.trim_end_matches('/') {
        return Ok((origin_of(&service_url), login_path.to_owned()));
    }
    match login_path.strip_prefix(prefix) {
        Some(rest) if rest.starts_with('/') => Ok((
            format!("{}{prefix}", origin_of(&service_url)),
            rest.to_owned(),
        )),
        _ => Err(CasError::setting(
            "LOGIN_URL",
            login,
            &format!("it does not lie below SERVICE_URL, which is \"{service}\""),
            &format!(
                "make SERVICE_URL the address of the application and LOGIN_URL a page of it, \
                 for example SERVICE_URL=\"{}\"",
                origin_of(&login_url)
            ),
        )),
    }
}

/// The absolute URL of a `LOGIN_URL` that is a path: from the application's address, or from its
/// host where the path repeats the prefix. A host without a scheme is no path.
fn relative_login(login: &str, origin: &str, prefix: &str) -> Option<String> {
    let first = login.split('/').next().unwrap_or_default();
    if login.starts_with("//") || first.contains(['.', ':']) {
        return None;
    }
    let path = format!("/{}", login.trim_start_matches('/'));
    let repeats = path
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let prefix = if repeats { "" } else { prefix };
    Some(format!("{origin}{prefix}{path}"))
}

fn difference(service: &Url, login: &Url) -> String {
    if service.scheme() != login.scheme() {
        format!("{} and {}", service.scheme(), login.scheme())
    } else if service.host_str() != login.host_str() {
        format!(
            "host {} and host {}",
            service.host_str().unwrap_or_default(),
            login.host_str().unwrap_or_default()
        )
    } else {
        let port = |url: &Url| url.port_or_known_default().unwrap_or_default();
        format!("port {} and port {}", port(service), port(login))
    }
}

/// An absolute http(s) URL without credentials, query or fragment.
fn plain_url(name: &'static str, value: &str) -> Result<Url, CasError> {
    let example = match name {
        "CAS_PROVIDER" => "write it as in https://cas.example.org/cas",
        "SERVICE_URL" => "write it as in https://app.example.org",
        _ => "write it as in https://app.example.org/login",
    };
    let url = Url::parse(value)
        .map_err(|error| CasError::setting(name, value, &format!("not a URL: {error}"), example))?;
    let fault = if !matches!(url.scheme(), "http" | "https") {
        "its scheme is neither https nor http"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it holds a user name or password"
    } else if url.query().is_some() || url.fragment().is_some() {
        "it holds a query or a fragment"
    } else {
        return Ok(url);
    };
    Err(CasError::setting(name, value, fault, example))
}

fn origin_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn without_slash(text: &str) -> &str {
    text.trim_end_matches('/')
}

fn without_quotes(text: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(file: &str) -> Result<Settings, CasError> {
        Settings::parse(file, |_| None)
    }

    fn three(provider: &str, service: &str, login: &str) -> Result<Settings, CasError> {
        parse(&format!(
            "CAS_PROVIDER={provider}\nSERVICE_URL={service}\nLOGIN_URL={login}\n"
        ))
    }

    #[test]
    fn a_file_of_the_seeds_shape_gives_one_service() {
        let file = "# CAS service URL\n\
            CAS_PROVIDER=\"https://cas.example.com/\"\n\
            # Your service URL (don't forget to authorize this service your CAS service)\n\
            SERVICE_URL=\"http://localhost:5000\"\n\
            # URL where user will be redirect after successfully logged on CAS\n\
            LOGIN_URL=\"http://localhost:5000/login\"\n";
        let settings = parse(file).unwrap();
        assert_eq!(settings.provider(), "https://cas.example.com");
        assert_eq!(settings.base(), "http://localhost:5000");
        assert_eq!(settings.login_path(), "/login");
    }

    #[test]
    fn the_seeds_literal_ports_are_two_origins() {
        let error = three(
            "https://cas.example.com/",
            "http://localhost:5000",
            "http://localhost:8000/login",
        )
        .unwrap_err()
        .to_string();
        for part in [
            "SERVICE_URL",
            "LOGIN_URL",
            "http://localhost:5000",
            "http://localhost:8000/login",
            "port 5000 and port 8000",
            "LOGIN_URL=\"http://localhost:5000/login\"",
        ] {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }

    type Addresses = (&'static str, &'static str);

    #[test]
    fn table_of_addresses() {
        // SERVICE_URL, LOGIN_URL, base and login path, or a part of the message.
        let rows: &[(&str, &str, Result<Addresses, &str>)] = &[
            (
                "https://a.org",
                "https://a.org/login",
                Ok(("https://a.org", "/login")),
            ),
            (
                "https://a.org/",
                "https://a.org/x/in",
                Ok(("https://a.org", "/x/in")),
            ),
            (
                "https://a.org:443",
                "https://a.org/login",
                Ok(("https://a.org", "/login")),
            ),
            (
                "https://a.org/w",
                "https://a.org/w/login",
                Ok(("https://a.org/w", "/login")),
            ),
            (
                "https://a.org/w/",
                "https://a.org/w/login",
                Ok(("https://a.org/w", "/login")),
            ),
            (
                "https://a.org/login",
                "https://a.org/login",
                Ok(("https://a.org", "/login")),
            ),
            ("https://a.org", "", Ok(("https://a.org", "/login"))),
            ("https://a.org/w/", "", Ok(("https://a.org/w", "/login"))),
            ("https://a.org/", "", Ok(("https://a.org", "/login"))),
            ("https://a.org", "/in", Ok(("https://a.org", "/in"))),
            ("https://a.org/", "in", Ok(("https://a.org", "/in"))),
            (
                "https://a.org/w",
                "/login",
                Ok(("https://a.org/w", "/login")),
            ),
            (
                "https://a.org/w",
                "/w/login",
                Ok(("https://a.org/w", "/login")),
            ),
            ("https://a.org/w", "/ww", Ok(("https://a.org/w", "/ww"))),
            ("https://a.org", "/", Err("it is the homepage")),
            ("https://a.org", "//a.org/login", Err("LOGIN_URL")),
            ("https://a.org", "a.org/login", Err("LOGIN_URL")),
            ("https://a.org", "/login?x=1", Err("a query or a fragment")),
            (
                "https://a.org",
                "https://a.org/login/",
                Ok(("https://a.org", "/login/")),
            ),
            (
                "https://a.org/w",
                "login/",
                Ok(("https://a.org/w", "/login/")),
            ),
            (
                "https://a.org/login",
                "https://a.org/login/",
                Ok(("https://a.org", "/login/")),
            ),
            (
                "https://a.org/w",
                "https://a.org/ww/login",
                Err("does not lie below SERVICE_URL"),
            ),
            ("https://a.org", "https://a.org/", Err("it is the homepage")),
            ("https://a.org", "http://a.org/login", Err("https and http")),
            (
                "http://localhost:5000",
                "http://127.0.0.1:5000/login",
                Err("host localhost and host 127.0.0.1"),
            ),
            (
                "https://a.org/?x=1",
                "https://a.org/login",
                Err("a query or a fragment"),
            ),
            ("ftp://a.org", "https://a.org/login", Err("scheme")),
            ("https://u:p@a.org", "https://a.org/login", Err("user name")),
            ("app.example.org", "https://a.org/login", Err("not a URL")),
            ("", "https://a.org/login", Err("SERVICE_URL")),
        ];
        for (service, login, expected) in rows {
            let got = three("https://cas.example.org", service, login);
            match (expected, got) {
                (Ok((base, path)), Ok(settings)) => {
                    assert_eq!((settings.base(), settings.login_path()), (*base, *path));
                }
                (Err(part), Err(error)) => {
                    assert!(
                        error.to_string().contains(part),
                        "{service} {login}: {error}"
                    );
                }
                (expected, got) => panic!("{service} {login}: wanted {expected:?}, got {got:?}"),
            }
        }
    }

    #[test]
    fn the_environment_wins() {
        let file = "CAS_PROVIDER=https://one.org\nSERVICE_URL=https://a.org\n";
        let settings = Settings::parse(file, |name| {
            (name == "CAS_PROVIDER").then(|| "https://two.org/cas/".to_owned())
        })
        .unwrap();
        assert_eq!(settings.provider(), "https://two.org/cas");
        for (value, provider) in [
            ("", "https://one.org"),
            (" ", "https://one.org"),
            ("\"\"", "https://one.org"),
            ("\"https://two.org\"", "https://two.org"),
        ] {
            let settings = Settings::parse(file, |_| Some(value.to_owned()));
            let provider_only = |name: &str| (name == "CAS_PROVIDER").then(|| value.to_owned());
            assert_eq!(
                Settings::parse(file, provider_only).unwrap().provider(),
                provider
            );
            assert_eq!(settings.is_ok(), provider == "https://one.org", "{value}");
        }
    }

    /// Issue 2, item 6: what is meant is taken, whatever else the file holds.
    #[test]
    fn other_lines_do_not_matter() {
        let file = "bare word\n\
            KEY=\"-----BEGIN PRIVATE KEY-----\nMIIEabc+/x==\nCAS_PROVIDER=no\n-----END-----\"\n\
            CAS_PROVIDER = 'https://cas.example.org/' # ours\r\n\
            OPEN=\"not closed\n\
            export SERVICE_URL=https://a.org # ours\r\n\
            -----BEGIN CERTIFICATE-----\nMIIEabc+/x==\n-----END CERTIFICATE-----\n\
            ODD='it's'\n\
            LOGIN_URL=\"/in\"";
        let settings = parse(file).unwrap();
        assert_eq!(settings.provider(), "https://cas.example.org");
        assert_eq!(settings.base(), "https://a.org");
        assert_eq!(settings.login_path(), "/in");
        // Their faults are told where something is missing, their text never.
        let text = parse(&file.replace("SERVICE_URL", "SERVICE"))
            .unwrap_err()
            .to_string();
        for part in [
            "SERVICE_URL: it is not set",
            "line 1: there is no `=`",
            "line 7: something",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        for secret in ["bare", "MIIE", "not closed", "it's"] {
            assert!(!text.contains(secret), "{text}");
        }
        // A login page that was given and cannot be read is not guessed.
        let text = parse(&file.replace("\"/in\"", "\"/in"))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("LOGIN_URL: it cannot be read in .env, line 13"),
            "{text}"
        );
    }

    /// Issue 2, item 6: an endpoint is not the CAS server, and the message says what is.
    #[test]
    fn the_provider_is_no_endpoint() {
        let rows = [
            ("https://c.org/cas/login", "https://c.org/cas"),
            ("https://c.org/cas/login/", "https://c.org/cas"),
            ("https://c.org/login", "https://c.org"),
            ("https://c.org:8443/cas/logout", "https://c.org:8443/cas"),
            ("https://c.org/cas/validate", "https://c.org/cas"),
            ("https://c.org/cas/serviceValidate", "https://c.org/cas"),
            ("https://c.org/cas/proxyValidate", "https://c.org/cas"),
            ("https://c.org/cas/p3/serviceValidate", "https://c.org/cas"),
            ("https://c.org/cas/p3/proxyValidate/", "https://c.org/cas"),
            ("https://c.org/samlValidate", "https://c.org"),
        ];
        for (given, base) in rows {
            let text = three(given, "https://a.org", "").unwrap_err().to_string();
            for part in ["CAS_PROVIDER", given, &format!("CAS_PROVIDER=\"{base}\"")] {
                assert!(text.contains(part), "{part} is missing in: {text}");
            }
        }
        for given in [
            "https://c.org/mylogin",
            "https://c.org/login/cas",
            "https://login.c.org",
            "https://c.org/p3",
        ] {
            let settings = three(given, "https://a.org", "").unwrap();
            assert_eq!(settings.provider(), given);
        }
    }

    /// No message repeats a password (S-017).
    #[test]
    fn credentials_are_not_told() {
        let good = "https://a.org";
        for bad in [
            "https://user:s3cret@a.org/x",
            "https://user:s3c/s3cret@a.org",
            "https://user:s3cret@a.org:99999",
            "ftp://user:s3cret@a.org",
            "user:s3cret@a.org",
            "https:user:s3cret@a.org",
        ] {
            for (provider, service, login) in [(bad, good, ""), (good, bad, ""), (good, good, bad)]
            {
                let error = three(provider, service, login).unwrap_err();
                let text = format!("{error} {error:?}");
                assert!(!text.contains("s3c") && !text.contains("user:"), "{text}");
                assert!(text.contains("a.org"), "{text}");
            }
        }
    }
}
