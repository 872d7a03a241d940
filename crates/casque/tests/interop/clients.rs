//! The clients: how each is started, and what it cannot do.

use std::{path::Path, process::Command};

use crate::{
    apps::Start,
    checks::put_to_the_checks,
    matrix::Check::{self, Attributes, Gateway, Proxy, SingleLogout},
    support::{Process, root, skip},
};

/// Where Debian has Apache's modules.
pub(crate) const MODULES: &str = "/usr/lib/apache2/modules";

const NO_ATTRIBUTES: &str = "the protocol tells none";
const NO_PROXIES: &str = "the protocol has no proxies";

/// A client in one protocol.
pub(crate) struct Client {
    pub(crate) name: &'static str,
    pub(crate) protocol: &'static str,
    /// What it cannot do, and why.
    pub(crate) cannot: Vec<(Check, &'static str)>,
    /// The query of the page that is logged in to: as nasty as the client can bear.
    pub(crate) query: &'static str,
    /// Whether it asks for renew at the validation as well.
    pub(crate) renew_is_validated: bool,
    /// Where messages of single logout go.
    pub(crate) logout_path: &'static str,
    /// It serves one request after another, so its callback is a second process.
    pub(crate) one_at_a_time: bool,
    /// Gives its processes and its version.
    pub(crate) start: fn(&Start<'_>) -> (Vec<Process>, String),
}

const NASTY: &str = "a=1&b=%20x%2F%26&c=%C3%A9&a=2&d=";

/// What a command prints.
fn said(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Debian's version without what only Debian counts.
fn debian_version(package: &str) -> Option<String> {
    let version = said(Command::new("dpkg-query").args(["-W", "-f=${Version}", package]))?;
    Some(version.split(['-', '+']).next()?.to_owned())
}

fn phpcas(protocol: &'static str) -> Client {
    Client {
        name: "phpCAS",
        protocol,
        cannot: match protocol {
            "CAS 2" => vec![(Attributes, NO_ATTRIBUTES)],
            "SAML 1.1" => vec![(Proxy, NO_PROXIES)],
            _ => vec![],
        },
        query: NASTY,
        renew_is_validated: true,
        logout_path: "/",
        one_at_a_time: true,
        start: |start| {
            let version = "require 'CAS/CAS.php'; echo phpCAS::getVersion();";
            let version = said(Command::new("php").args(["-r", version]));
            (
                start.php("phpcas.php"),
                version.expect("it says its version"),
            )
        },
    }
}

async fn check_phpcas(protocol: &'static str) {
    if said(
        Command::new("php").args(["-r", "require 'CAS/CAS.php'; curl_init(); new DOMDocument;"]),
    )
    .is_none()
    {
        return skip("php-cli, php-cas, php-curl and php-xml are not installed");
    }
    put_to_the_checks(&phpcas(protocol)).await;
}

#[tokio::test]
async fn phpcas_cas2() {
    check_phpcas("CAS 2").await;
}

#[tokio::test]
async fn phpcas_cas3() {
    check_phpcas("CAS 3").await;
}

#[tokio::test]
async fn phpcas_saml() {
    check_phpcas("SAML 1.1").await;
}

fn python() -> std::path::PathBuf {
    root().join("target/python/bin/python")
}

const NO_LOGOUT: (Check, &str) = (
    SingleLogout,
    "python-cas reads logout requests in CAS 3 and SAML only",
);

async fn check_python_cas(protocol: &'static str) {
    if said(Command::new(python()).args(["-c", "import cas"])).is_none() {
        return skip("python-cas is not installed in target/python");
    }
    put_to_the_checks(&Client {
        name: "python-cas",
        protocol,
        cannot: match protocol {
            "CAS 1" => vec![(Attributes, NO_ATTRIBUTES), NO_LOGOUT, (Proxy, NO_PROXIES)],
            "CAS 2" => vec![(Attributes, NO_ATTRIBUTES), NO_LOGOUT],
            "SAML 1.1" => vec![(Proxy, NO_PROXIES)],
            _ => vec![],
        },
        query: NASTY,
        renew_is_validated: false,
        logout_path: "/",
        one_at_a_time: false,
        start: |start| start.script(&python(), "python_cas.py"),
    })
    .await;
}

#[tokio::test]
async fn python_cas_cas1() {
    check_python_cas("CAS 1").await;
}

#[tokio::test]
async fn python_cas_cas2() {
    check_python_cas("CAS 2").await;
}

#[tokio::test]
async fn python_cas_cas3() {
    check_python_cas("CAS 3").await;
}

#[tokio::test]
async fn python_cas_saml() {
    check_python_cas("SAML 1.1").await;
}

/// The package itself cannot be imported outside a site.
const DJANGO_CAS_NG: &str = "from importlib.metadata import version; version('django-cas-ng')";

async fn check_django_cas_ng(protocol: &'static str) {
    if said(Command::new(python()).args(["-c", DJANGO_CAS_NG])).is_none() {
        return skip("django-cas-ng is not installed in target/python");
    }
    let mut cannot = vec![(
        Gateway,
        "django-cas-ng knows no answer without a ticket, and would ask again for ever",
    )];
    if protocol == "SAML 1.1" {
        cannot.push((Proxy, NO_PROXIES));
    }
    put_to_the_checks(&Client {
        name: "django-cas-ng",
        protocol,
        cannot,
        query: NASTY,
        renew_is_validated: false,
        logout_path: "/login",
        one_at_a_time: false,
        start: |start| start.script(&python(), "django_site.py"),
    })
    .await;
}

#[tokio::test]
async fn django_cas_ng_cas3() {
    check_django_cas_ng("CAS 3").await;
}

#[tokio::test]
async fn django_cas_ng_saml() {
    check_django_cas_ng("SAML 1.1").await;
}

async fn check_http_cas_client(protocol: &'static str) {
    let installed = root().join("target/node/node_modules/http-cas-client");
    if said(Command::new("node").arg("--version")).is_none() || !installed.exists() {
        return skip("node is not installed, or http-cas-client is not in target/node");
    }
    put_to_the_checks(&Client {
        name: "http-cas-client",
        protocol,
        cannot: if protocol == "CAS 2" {
            vec![(Attributes, NO_ATTRIBUTES)]
        } else {
            vec![]
        },
        // It writes the query anew before it validates, so the service differs unless that changes nothing.
        query: "a=1&b=x%2F%26&c=%C3%A9&a=2&d=",
        renew_is_validated: true,
        logout_path: "/",
        one_at_a_time: false,
        start: |start| start.script(Path::new("node"), "http_cas_client.js"),
    })
    .await;
}

#[tokio::test]
async fn http_cas_client_cas2() {
    check_http_cas_client("CAS 2").await;
}

#[tokio::test]
async fn http_cas_client_cas3() {
    check_http_cas_client("CAS 3").await;
}

async fn check_authen_cas_client(protocol: &'static str) {
    let modules = ["-MAuthen::CAS::Client", "-MHTTP::Daemon", "-e", "1"];
    if said(Command::new("perl").args(modules)).is_none() {
        return skip("libauthen-cas-client-perl and libhttp-daemon-perl are not installed");
    }
    let mut cannot = vec![(SingleLogout, "Authen::CAS::Client reads no logout requests")];
    match protocol {
        "CAS 1" => cannot.extend([(Attributes, NO_ATTRIBUTES), (Proxy, NO_PROXIES)]),
        "CAS 2" => cannot.push((Attributes, NO_ATTRIBUTES)),
        _ => {}
    }
    put_to_the_checks(&Client {
        name: "Authen::CAS::Client",
        protocol,
        cannot,
        query: NASTY,
        renew_is_validated: true,
        logout_path: "/",
        one_at_a_time: true,
        start: |start| start.script(Path::new("perl"), "authen_cas_client.pl"),
    })
    .await;
}

#[tokio::test]
async fn authen_cas_client_cas1() {
    check_authen_cas_client("CAS 1").await;
}

#[tokio::test]
async fn authen_cas_client_cas2() {
    check_authen_cas_client("CAS 2").await;
}

#[tokio::test]
async fn authen_cas_client_cas3() {
    check_authen_cas_client("CAS 3").await;
}

async fn check_mod_auth_cas(protocol: &'static str) {
    if !Path::new(MODULES).join("mod_auth_cas.so").exists() {
        return skip("apache2 and libapache2-mod-auth-cas are not installed");
    }
    let mut cannot = vec![(Proxy, "mod_auth_cas asks for no proxy-granting tickets")];
    if protocol == "CAS 3" {
        cannot.push((
            Attributes,
            "mod_auth_cas reads attributes from SAML answers only",
        ));
    }
    put_to_the_checks(&Client {
        name: "mod_auth_cas",
        protocol,
        cannot,
        query: NASTY,
        renew_is_validated: true,
        logout_path: "/",
        one_at_a_time: false,
        start: |start| {
            let version = debian_version("libapache2-mod-auth-cas");
            (start.apache(), version.expect("Debian knows its version"))
        },
    })
    .await;
}

#[tokio::test]
async fn mod_auth_cas_cas3() {
    check_mod_auth_cas("CAS 3").await;
}

#[tokio::test]
async fn mod_auth_cas_saml() {
    check_mod_auth_cas("SAML 1.1").await;
}
