//! Encrypted connections, and the login by certificate, against a server with certificates of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tracker_core::{ErrorKind, store::Access, store::Store};
use tracker_postgres::PostgresStore;

use crate::support::{
    PASSWORD, Server, connect, new_schema, options, put,
    server::{finished, unprivileged},
    waiting_task,
};

/// A folder with the certificates of an authority, a server, and a role, and of another authority with another role.
struct Certificates(tempfile::TempDir);

impl Certificates {
    fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).map_err(|error| error.to_string())?;
        let certificates = Self(folder);
        for authority in ["authority", "stranger"] {
            certificates
                .openssl(&["req", "-x509", "-days", "2", "-subj", "/CN=authority", "-out", "{}.crt"], authority)?;
        }
        certificates.sign("server", "localhost", "authority")?;
        certificates.sign("client", "certified", "authority")?;
        certificates.sign("other", "somebody", "authority")?;
        certificates.sign("forged", "certified", "stranger")?;
        let rules = "local all all trust\nhostssl all certified all cert\nhostssl all all all scram-sha-256\n";
        fs::write(certificates.path("hba"), rules).map_err(|error| error.to_string())?;
        Ok(certificates)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs openssl as the user of servers, with a new key.
    fn openssl(&self, arguments: &[&str], name: &str) -> Result<String, String> {
        let mut command = unprivileged(Path::new("openssl"))?;
        command.args(arguments.iter().map(|argument| argument.replace("{}", &self.path(name).display().to_string())));
        if arguments[0] == "req" {
            command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
            command.arg("-keyout").arg(self.path(&format!("{name}.key")));
        }
        finished(command)
    }

    fn sign(&self, name: &str, subject: &str, authority: &str) -> Result<(), String> {
        let extension = self.path(&format!("{name}.ext"));
        fs::write(&extension, format!("subjectAltName=DNS:{subject}")).map_err(|error| error.to_string())?;
        self.openssl(&["req", "-subj", &format!("/CN={subject}"), "-out", "{}.csr"], name)?;
        let of_authority = |ending: &str| self.path(&format!("{authority}.{ending}")).display().to_string();
        let (signer, key) = (of_authority("crt"), of_authority("key"));
        let arguments = ["x509", "-req", "-days", "2", "-in", "{}.csr", "-out", "{}.crt", "-CAcreateserial"];
        let arguments = [&arguments[..], &["-CA", &signer, "-CAkey", &key, "-extfile", "{}.ext"]].concat();
        self.openssl(&arguments, name).map(drop)
    }

    fn start_server(&self) -> Result<Server, String> {
        let file = |setting: &str, name: &str| format!("{setting}={}", self.path(name).display());
        let settings = [
            "ssl=on".into(),
            file("ssl_cert_file", "server.crt"),
            file("ssl_key_file", "server.key"),
            file("ssl_ca_file", "authority.crt"),
            file("hba_file", "hba"),
        ];
        Server::start(&settings.each_ref().map(String::as_str))
    }
}

fn start() -> Option<(Certificates, Server)> {
    let started = Certificates::new().and_then(|certificates| {
        let server = certificates.start_server()?;
        Ok((certificates, server))
    });
    started.inspect_err(|reason| println!("skipped: {reason}")).ok()
}

fn encrypted(server: &Server, application: &str) -> String {
    let sql = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = ";
    server.psql("postgres", &format!("{sql}'{application}'")).unwrap()
}

#[test]
fn encrypted_login_verifies_server_as_asked() {
    let Some((certificates, server)) = start() else { return };
    let root = |name: &str| format!("&sslrootcert={}", certificates.path(name).display());
    let url = |host: &str, parameters: &str| {
        format!("postgres://owner:{PASSWORD}@{host}:{}/postgres?application_name=tls&sslmode={parameters}", server.port)
    };
    for parameters in [
        format!("verify-full{}", root("authority.crt")),
        "require".into(),
        "prefer".into(),
        format!("require{}", root("authority.crt")),
    ] {
        let store = connect(&options(&url("localhost", &parameters)).schema(new_schema()));
        put(&store, waiting_task(1));
        assert_eq!(encrypted(&server, "tls"), "t", "{parameters}");
        store.close().unwrap();
    }
    for (host, parameters, word) in [
        ("127.0.0.1", format!("verify-full{}", root("authority.crt")), "not valid for name"),
        (
            "localhost",
            format!("verify-full{}", root("stranger.crt")),
            "name the certificate of its authority with sslrootcert",
        ),
        (
            "localhost",
            format!("require{}", root("stranger.crt")),
            "name the certificate of its authority with sslrootcert",
        ),
        ("localhost", "verify-full".into(), "name the certificate of its authority with sslrootcert"),
        ("localhost", format!("verify-full{}", root("missing.crt")), "cannot read"),
        ("localhost", "disable".into(), "allow the login in pg_hba.conf"),
    ] {
        let error = PostgresStore::connect(&options(&url(host, &parameters))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{parameters}: {error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(word), "{host} {parameters}: {error}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

#[test]
fn login_by_certificate_is_that_of_its_role() {
    let Some((certificates, server)) = start() else { return };
    server.psql("postgres", "CREATE ROLE certified LOGIN; GRANT CREATE ON DATABASE postgres TO certified").unwrap();
    let file = |name: &str| certificates.path(name).display().to_string();
    let url = |parameters: &str| {
        let root = file("authority.crt");
        format!(
            "postgres://certified@localhost:{}/postgres?sslmode=verify-full&sslrootcert={root}{parameters}",
            server.port
        )
    };
    let pair =
        |name: &str| format!("&sslcert={}&sslkey={}", file(&format!("{name}.crt")), file(&format!("{name}.key")));
    let store = connect(&options(&url(&pair("client"))).schema(new_schema()));
    put(&store, waiting_task(1));
    // A connection that ends is replaced by another encrypted one.
    server
        .psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'certified'")
        .unwrap();
    put(&store, waiting_task(2));
    drop(store.begin(Access::Read).unwrap());
    for (parameters, word) in [
        (String::new(), "correct user and password in the URL, or allow the login"),
        (pair("other"), "correct user and password in the URL, or allow the login"),
        (pair("forged"), "sslcert"),
        (format!("&sslcert={}", file("client.crt")), "give both or none"),
        (format!("&sslcert={}&sslkey=/missing.key", file("client.crt")), "cannot read /missing.key"),
    ] {
        let error = PostgresStore::connect(&options(&url(&parameters))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{parameters}: {error}");
        assert!(error.to_string().contains(word), "{parameters}: {error}");
    }
}
