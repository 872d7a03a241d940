//! Applications on real clients, each on a free port and in a folder of its own. They are told that they stand behind
//! a proxy that does TLS, so their services are https URLs; [`App::visitor`] goes there as that proxy would.

use std::{
    fs::Permissions,
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    clients::{Client, MODULES},
    support::{
        Process, root,
        served::{Site, free_port},
        visitor::Visitor,
    },
};

/// A running application.
pub(crate) struct App {
    _processes: Vec<Process>,
    _folder: tempfile::TempDir,
    port: u16,
    /// What the client is, by itself or by Debian.
    pub(crate) version: String,
}

/// What an application is started from.
pub(crate) struct Start<'a> {
    pub(crate) client: &'a Client,
    pub(crate) site: &'a Site,
    folder: &'a Path,
    port: u16,
    /// Where proxy-granting tickets are sent; another port for those that serve one request at a time.
    callback_port: u16,
}

impl App {
    /// Registers the application with the server, starts both, and gives the server's process beside it.
    pub(crate) fn start(client: &Client, site: &Site) -> (Self, Process) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let start = Start {
            client,
            site,
            folder: folder.path(),
            port,
            callback_port: if client.one_at_a_time {
                free_port()
            } else {
                port
            },
        };
        start.register();
        let server = site.serve();
        let (processes, version) = (client.start)(&start);
        let app = Self {
            _processes: processes,
            _folder: folder,
            port,
            version,
        };
        (app, server)
    }

    /// A page of the application, as the world sees it.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// Somebody with an empty browser.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::behind_tls(&self.page(""), &format!("http://127.0.0.1:{}", self.port))
    }
}

impl Start<'_> {
    fn register(&self) {
        let port = self.port;
        self.site.write(
            "services/app.toml",
            &format!(
                "id = \"app\"\norigin = \"https://127.0.0.1:{port}\"\nallow_http = true\nattributes = \"all\"\n\
                 logout_url = \"http://127.0.0.1:{port}{}\"\n[proxy]\nloopback = true\n",
                self.client.logout_path
            ),
        );
    }

    fn with_settings(&self, command: &mut Command, port: u16) {
        command
            .env("CAS_URL", &self.site.base_url)
            .env("CAS_PROTOCOL", self.client.protocol)
            .env("APP_URL", format!("https://127.0.0.1:{}", self.port))
            .env("APP_PORT", port.to_string())
            .env("APP_CALLBACK", self.callback())
            .env("APP_FOLDER", self.folder);
    }

    fn callback(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.callback_port)
    }

    /// Runs a script of `interop/clients` that says its version when it is ready.
    pub(crate) fn script(&self, interpreter: &Path, script: &str) -> (Vec<Process>, String) {
        let mut ports = vec![self.port, self.callback_port];
        ports.dedup();
        let mut version = String::new();
        let start = |port| {
            let mut command = Command::new(interpreter);
            command.arg(root().join("interop/clients").join(script));
            self.with_settings(&mut command, port);
            let (process, said) = Process::start_until(command.stdin(Stdio::piped()), |line| {
                let ready: serde_json::Value = serde_json::from_str(line).ok()?;
                Some(ready["version"].as_str()?.to_owned())
            });
            version = said;
            process
        };
        let processes = ports.into_iter().map(start).collect();
        (processes, version)
    }

    /// PHP's own server, which says on standard error that it is ready.
    pub(crate) fn php(&self, script: &str) -> Vec<Process> {
        let start = |port: u16| {
            let mut command = Command::new("sh");
            command
                .args(["-c", "exec php -S \"$0\" \"$1\" 2>&1"])
                .arg(format!("127.0.0.1:{port}"))
                .arg(root().join("interop/clients").join(script));
            self.with_settings(&mut command, port);
            Process::start_until(&mut command, |line| line.contains("started").then_some(())).0
        };
        [self.port, self.callback_port].map(start).into()
    }

    /// Apache with `mod_auth_cas`. The page is a server-side include, which is told the user and the attributes as a
    /// script would be.
    pub(crate) fn apache(&self) -> Vec<Process> {
        let root = self.folder;
        for name in ["www", "cookies"] {
            std::fs::create_dir(root.join(name)).expect("a folder");
        }
        // Apache's workers run as another user when it is started by root.
        open_to_all(root);
        open_to_all(&root.join("cookies"));
        std::fs::write(root.join("www/index.html"), INCLUDE).expect("a page");
        std::fs::write(root.join("apache.conf"), self.apache_conf()).expect("a configuration");
        let process = Process::start(
            Command::new("/usr/sbin/apache2")
                .arg("-X")
                .arg("-f")
                .arg(root.join("apache.conf")),
        );
        // It says nothing when it is ready.
        let listens = || TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        if !(0..1_000_000).any(|_| listens()) {
            let log = std::fs::read_to_string(root.join("error.log")).unwrap_or_default();
            panic!("apache does not listen: {log}");
        }
        vec![process]
    }

    fn apache_conf(&self) -> String {
        let modules = [
            "mpm_event",
            "authn_core",
            "authz_core",
            "authz_user",
            "alias",
            "include",
            "auth_cas",
        ]
        .map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n"))
        .concat();
        let (validate, saml) = match self.client.protocol {
            "SAML 1.1" => ("samlValidate", "On"),
            _ => ("p3/serviceValidate", "Off"),
        };
        let (root, port, cas) = (self.folder.display(), self.port, &self.site.base_url);
        format!(
            "{modules}ServerRoot {root}\nServerName http://127.0.0.1:{port}\nListen 127.0.0.1:{port}\n\
             PidFile {root}/pid\nDefaultRuntimeDir {root}\nMutex file:{root}\nErrorLog {root}/error.log\nLogLevel warn\n\
             DocumentRoot {root}/www\nUser www-data\nGroup www-data\n\
             CASLoginURL {cas}/login\nCASValidateURL {cas}/{validate}\nCASValidateSAML {saml}\n\
             CASCookiePath {root}/cookies/\nCASRootProxiedAs https://127.0.0.1:{port}\nCASSSOEnabled On\n\
             CASCertificatePath /etc/ssl/certs/ca-certificates.crt\nCASAttributePrefix CAS-\n\
             AliasMatch ^/ {root}/www/index.html\n\
             <Directory {root}/www>\nOptions +Includes\nSetOutputFilter INCLUDES\nForceType application/json\n</Directory>\n\
             <Location />\nAuthType CAS\nCASAuthNHeader Cas-User\nCASScrubRequestHeaders On\nRequire valid-user\n</Location>\n\
             <Location /renew>\nCASRenew /renew\n</Location>\n\
             # After the trip nobody need be signed in; without this rule it would be made for nothing.\n\
             <Location /gateway>\nCASGateway /gateway\n<RequireAny>\nRequire valid-user\n\
             Require expr \"%{{HTTP_COOKIE}} =~ /MOD_CAS_G=TRUE/ && %{{QUERY_STRING}} !~ /ticket=/\"\n</RequireAny>\n</Location>\n\
             RedirectMatch ^/logout$ {cas}/logout\n<Location /logout>\nAuthType None\nRequire all granted\n</Location>\n"
        )
    }
}

/// Values that are not set come out empty.
const INCLUDE: &str = concat!(
    "<!--#config echomsg=\"\" -->",
    "{\"user\": \"<!--#echo encoding=\"none\" var=\"REMOTE_USER\" -->\", \"attributes\": {",
    "\"mail\": \"<!--#echo encoding=\"none\" var=\"HTTP_CAS_MAIL\" -->\", ",
    "\"memberOf\": \"<!--#echo encoding=\"none\" var=\"HTTP_CAS_MEMBEROF\" -->\"}}\n"
);

fn open_to_all(folder: &Path) {
    std::fs::set_permissions(folder, Permissions::from_mode(0o777))
        .expect("permissions can be set");
}
