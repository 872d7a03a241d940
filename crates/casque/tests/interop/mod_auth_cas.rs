//! Apache's `mod_auth_cas`, a client written in C: login, wrong password, single logout. It
//! reads attributes from SAML answers only.

use std::{path::Path, process::Command};

use crate::support::{
    Process,
    served::{Site, free_port},
    skip,
    visitor::Visitor,
};

const MODULES: &str = "/usr/lib/apache2/modules";

/// An Apache of its own, in a temporary folder.
struct Apache {
    _process: Process,
    folder: tempfile::TempDir,
    url: String,
}

impl Apache {
    fn start(cas: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        for name in ["www", "cookies"] {
            std::fs::create_dir(root.join(name)).expect("a folder");
        }
        // Apache's workers run as another user when it is started by root.
        open_to_all(root);
        open_to_all(&root.join("cookies"));
        let port = free_port();
        let load = |name: &str| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n");
        let modules: String = [
            "mpm_event",
            "authn_core",
            "authz_core",
            "authz_user",
            "headers",
            "alias",
            "auth_cas",
        ]
        .map(load)
        .concat();
        let config = format!(
            "{modules}ServerRoot {root}\nServerName http://127.0.0.1:{port}\nListen 127.0.0.1:{port}\nPidFile {root}/pid\n\
             DefaultRuntimeDir {root}\nMutex file:{root}\nErrorLog {root}/error.log\nLogLevel warn\nDocumentRoot {root}/www\n\
             User www-data\nGroup www-data\n\
             CASLoginURL {cas}/login\nCASValidateURL {cas}/p3/serviceValidate\nCASCookiePath {root}/cookies/\n\
             CASRootProxiedAs http://127.0.0.1:{port}\nCASSSOEnabled On\nCASCertificatePath /etc/ssl/certs/ca-certificates.crt\n\
             <Location />\nAuthType CAS\nCASAuthNHeader Cas-User\nCASScrubRequestHeaders On\nRequire valid-user\n\
             Header set Seen-User expr=%{{REMOTE_USER}}\n</Location>\n",
            root = root.display(),
        );
        std::fs::write(root.join("www/index.html"), "<p>inside").expect("a page");
        std::fs::write(root.join("apache.conf"), config).expect("a configuration");
        let process = Process::start(
            Command::new("/usr/sbin/apache2")
                .arg("-X")
                .arg("-f")
                .arg(root.join("apache.conf")),
        );
        Self {
            _process: process,
            url: format!("http://127.0.0.1:{port}/"),
            folder,
        }
    }

    /// Waits for the socket: Apache says nothing when it is ready.
    async fn ready(&self) {
        let address = self
            .url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        for _ in 0..5_000 {
            if tokio::net::TcpStream::connect(&address).await.is_ok() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!(
            "apache does not listen: {}",
            std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
        );
    }
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777))
        .expect("permissions can be set");
}

#[tokio::test]
async fn logs_in_at_casque_and_is_logged_out_by_it() {
    if !Path::new(MODULES).join("mod_auth_cas.so").exists() {
        return skip("apache2 and libapache2-mod-auth-cas are not installed");
    }
    let site = Site::new("memory:", "");
    let _server = site.serve();
    let apache = Apache::start(&site.base_url);
    apache.ready().await;
    let page = format!("{}index.html?a=1&b=%20", apache.url);
    let mut visitor = Visitor::new();

    let refused = visitor.get(&page).await;
    assert_eq!(refused.status, 302);
    let form = visitor.follow(refused).await;
    assert!(form.url.starts_with(&site.base_url), "sent to {}", form.url);
    let wrong = visitor.log_in(&form, "alice", "not wonderland").await;
    assert_eq!(wrong.status, 401);
    let back = visitor.log_in(&wrong, "alice", "wonderland").await;
    let inside = visitor.follow(back).await;
    assert_eq!(inside.status, 200, "{}", inside.body);
    assert_eq!(inside.headers["seen-user"], "alice");

    let out = visitor.get(&format!("{}/logout", site.base_url)).await;
    assert_eq!(out.status, 200);
    // The message goes out behind the page; the session at Apache ends when it arrives.
    for _ in 0..5_000 {
        if visitor.get(&page).await.status == 302 {
            return;
        }
    }
    panic!("mod_auth_cas was not told of the logout");
}
