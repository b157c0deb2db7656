//! TLS: real clients, certificates that are not right, and a certificate that changes under load.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pawl_tests::command::Ran;
use pawl_tests::http::Request;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::process::signal;
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::json;

use super::certificates::{Authority, Pair, Term, replace};
use super::client::{Tls, ask, connect};

const LIMIT: Duration = Duration::from_secs(30);

/// A server that speaks TLS.
struct Ground {
    pawl: Pawl,
    authority: Authority,
    certificate: PathBuf,
    key: PathBuf,
    scratch: Scratch,
}

impl Ground {
    fn new(names: &[&str], term: Term) -> Self {
        Self::with(names, term, |_| Vec::new())
    }

    fn with(
        names: &[&str],
        term: Term,
        environment: impl FnOnce(&Scratch) -> Vec<(&'static str, String)>,
    ) -> Self {
        let scratch = Scratch::new("tls");
        let authority = Authority::new(scratch.path(), "authority");
        let (certificate, key) = authority.write("server", &authority.certify(names, term));
        let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
        let mut variables = vec![("PAWL_TLS_CERT", text(&certificate)), ("PAWL_TLS_KEY", text(&key))];
        variables.extend(environment(&scratch));
        let options =
            Options { environment: variables, authority: Some(authority.file.clone()), ..Options::default() };
        Self { pawl: Pawl::start(options), authority, certificate, key, scratch }
    }

    fn put(&self, pair: &Pair) {
        replace(&self.key, &pair.key);
        replace(&self.certificate, &pair.certificate);
    }

    fn tls(&self) -> Tls {
        Tls::new(&self.authority.file, None)
    }

    fn figure(&self, client: &Tls, name: &str) -> f64 {
        let page = client.send(&get("/metrics"), self.pawl.address()).unwrap().body;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
    }
}

fn get(path: &str) -> Request {
    Request { method: "GET".to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
        .header("host", "localhost")
}

fn serial(client: &Tls, ground: &Ground) -> Vec<u8> {
    let stream = client.connect(ground.pawl.address()).unwrap();
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn the_doctor_tells_when_a_certificate_ends_and_when_a_key_does_not_fit() {
    let ground = Ground::new(&["127.0.0.1"], Term::Running);
    let doctor = || ground.pawl.cli(&["doctor"]);
    let told = doctor().ok();
    assert!(told.contains("ok    the certificate that is served, of CN=127.0.0.1, ends in"), "{told}");
    // Another key is there: a reload does not take it, and the doctor says so.
    let other = ground.authority.certify(&["127.0.0.1"], Term::Running);
    replace(&ground.key, &other.key);
    let ran = doctor();
    let mismatch = format!("the key in `{}` is not that of the certificate in", ground.key.display());
    assert!(ran.code != Some(0) && ran.stdout.contains(&mismatch), "{ran:?}");
    assert!(ran.stdout.contains("FAIL  its files hold something else now"), "{ran:?}");
    ground.put(&other);
    assert!(!doctor().ok().contains("FAIL"));
    let over = ground.authority.certify(&["127.0.0.1"], Term::Over);
    ground.put(&over);
    let ran = doctor();
    assert!(ran.code != Some(0) && ran.stdout.contains("has expired"), "{ran:?}");
    ground.put(&other);
    // Files that no server has yet.
    let file = |name: &str, text: &str| {
        let path = ground.scratch.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (next, key) = (file("next.pem", &other.certificate), file("next.key", &other.key));
    let look = |certificate: &str, key: &str| {
        ground.pawl.cli(&["doctor", "--tls-cert", certificate, "--tls-key", key])
    };
    let told = look(&next, &key).ok();
    assert!(
        told.contains(&format!(
            "ok    the certificate in `{next}`, of CN=127.0.0.1, whose key fits, ends in"
        )),
        "{told}"
    );
    for (certificate, key, why) in [
        (next.as_str(), file("other.key", &over.key), "is not that of the certificate"),
        (next.as_str(), file("no.key", "what is this"), "holds no private key"),
        (file("no.pem", "").as_str(), key.clone(), "holds no certificate in PEM form"),
        (file("over.pem", &over.certificate).as_str(), file("over.key", &over.key), "has EXPIRED"),
        ("/nowhere", key, "cannot be read"),
    ] {
        let ran = look(certificate, &key);
        assert!(ran.code != Some(0) && ran.stdout.contains(why), "{why}: {ran:?}");
    }
}

#[test]
fn real_clients_speak_https() {
    let ground = Ground::new(&["127.0.0.1"], Term::Running);
    let pawl = &ground.pawl;
    assert!(pawl.printed().contains(&format!("pawl: listening on https://{}", pawl.address())));
    let _ = pawl.aws(&["create-secret", "--name", "a", "--secret-string", "over TLS"]).ok();
    let found = pawl.aws(&["get-secret-value", "--secret-id", "a"]).json();
    assert_eq!(found["SecretString"], "over TLS");
    let found =
        pawl.boto3("print(json.dumps(sm.get_secret_value(SecretId='a')['SecretString']))", &json!({}));
    assert_eq!(found, "over TLS");
    assert_eq!(pawl.cli(&["secret", "get", "a"]).ok().trim(), "over TLS");
    let doctor = pawl.cli(&["doctor"]);
    assert!(doctor.stdout.contains(&format!("a server answers at https://{}", pawl.address())), "{doctor:?}");

    // Without the authority nobody believes it, and each says what is wrong.
    let mut aws = Command::new("aws");
    pawl.client(&mut aws);
    let refused = Ran::of(aws.env_remove("AWS_CA_BUNDLE").args([
        "--endpoint-url",
        &pawl.endpoint(),
        "secretsmanager",
        "list-secrets",
    ]));
    assert!(refused.code != Some(0) && refused.stderr.contains("SSL"), "{refused:?}");
    let no_authority = ground.scratch.path().join("nobody.pem");
    std::fs::write(&no_authority, Authority::new(ground.scratch.path(), "nobody").pem).unwrap();
    let refused = pawl.cli(&["secret", "list", "--ca-bundle", no_authority.to_str().unwrap()]);
    assert!(refused.stderr.contains("give that one with --ca-bundle FILE"), "{refused:?}");

    // A policy that asks for TLS finds it.
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]});
    let _ =
        pawl.aws(&["put-resource-policy", "--secret-id", "a", "--resource-policy", &policy.to_string()]).ok();
    assert_eq!(pawl.cli(&["secret", "get", "a"]).ok().trim(), "over TLS");
}

#[test]
fn what_is_not_right_is_refused_in_words() {
    let ground = Ground::new(&["pawl.example"], Term::Running);
    let refused = ground.pawl.cli(&["secret", "list"]);
    assert!(refused.stderr.contains("its certificate is for another name"), "{refused:?}");
    let ground = Ground::new(&["127.0.0.1"], Term::Over);
    let refused = ground.pawl.cli(&["doctor"]);
    assert!(refused.stdout.contains("its certificate has expired"), "{refused:?}");
    assert!(ground.pawl.log().contains("EXPIRED"), "{}", ground.pawl.log());

    let pair = ground.authority.certify(&["127.0.0.1"], Term::Running);
    let to = ground.pawl.address();
    ground.put(&pair);
    eventually("a new certificate heals it", LIMIT, || ground.tls().connect(to).ok());
    // HTTP in clear gets an answer that a person can read.
    let answer = get("/healthz").send(to);
    assert_eq!((answer.status, answer.body.contains("use https://")), (400, true));
    // Old versions and a protocol that is not served are refused; so is a client that speaks rubbish.
    let openssl = |arguments: &[&str]| {
        let place = to.to_string();
        let mut command = Command::new("openssl");
        Ran::of(command.args(["s_client", "-connect", &place]).args(arguments))
    };
    for old in ["-tls1_1", "-tls1"] {
        let ran = openssl(&[old, "-cipher", "ALL:@SECLEVEL=0"]);
        assert!(ran.code != Some(0) && ran.stdout.contains("Cipher is (NONE)"), "{old}: {ran:?}");
    }
    let authority = ground.authority.file.to_str().unwrap();
    for (arguments, protocol) in [(["-tls1_2"], "TLSv1.2"), (["-tls1_3"], "TLSv1.3")] {
        let ran =
            openssl(&[arguments[0], "-CAfile", authority, "-verify_return_error", "-alpn", "h2,http/1.1"]);
        assert!(ran.stdout.contains(protocol) && ran.stdout.contains("ALPN protocol: http/1.1"), "{ran:?}");
    }
    let ran = openssl(&["-tls1_2", "-cipher", "AES128-SHA:AES256-SHA:AES128-GCM-SHA256"]);
    assert!(ran.code != Some(0), "keys without forward secrecy: {ran:?}");
    let ran = openssl(&["-alpn", "h2", "-CAfile", authority]);
    assert!(ran.stderr.contains("no application protocol"), "{ran:?}");
    let mut rubbish = connect(to);
    rubbish.set_read_timeout(Some(LIMIT)).unwrap();
    rubbish.write_all(&[0xff; 4_096]).unwrap();
    let _ = rubbish.read_to_end(&mut Vec::new());
    let client = ground.tls();
    assert!(ground.figure(&client, "pawl_tls_handshakes_total{result=\"failed\"}") >= 4.0);
    assert!(ground.figure(&client, "pawl_tls_handshakes_total{result=\"plain\"}") >= 1.0);
    assert_eq!(ground.figure(&client, "pawl_tls_certificate_ends_seconds"), 3_786_912_000.0);
}

#[test]
fn a_certificate_that_makes_no_sense_does_not_start() {
    let scratch = Scratch::new("tls");
    let authority = Authority::new(scratch.path(), "authority");
    let [one, other] = [0; 2].map(|_| authority.certify(&["127.0.0.1"], Term::Running));
    let empty = Pair { certificate: String::new(), key: String::new() };
    let words = [
        (Pair { key: other.key, ..one.clone() }, "is not that of the certificate"),
        (empty, "holds no certificate in PEM form"),
        (Pair { key: "none".to_owned(), ..one.clone() }, "holds no private key in PEM form"),
        (Pair { certificate: one.certificate.replacen("MI", "MA", 1), ..one.clone() }, "certificate"),
    ];
    for (pair, word) in words {
        let (certificate, key) = authority.write("server", &pair);
        let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
        let environment = vec![("PAWL_TLS_CERT", text(&certificate)), ("PAWL_TLS_KEY", text(&key))];
        let mut pawl = Pawl::prepare(Options { environment, ..Options::default() });
        let why = pawl.try_resume().unwrap_err();
        assert!(why.contains(word), "{word}: {why}");
        assert!(!why.contains("PRIVATE KEY-----\n"), "{why}");
    }
}

#[test]
fn a_new_certificate_is_taken_under_load_and_no_request_fails() {
    let ground = Ground::new(&["127.0.0.1"], Term::Running);
    let (pawl, to) = (&ground.pawl, ground.pawl.address());
    let _ = pawl.aws(&["create-secret", "--name", "a", "--secret-string", "v"]).ok();
    let request = pawl.signed("GetSecretValue", &json!({"SecretId": "a"}));
    let (done, asked) = (AtomicBool::new(false), AtomicU32::new(0));
    // A connection from before goes on with what it has.
    let mut kept = ground.tls().connect(to).unwrap();
    assert_eq!(ask(&mut kept, &get("/healthz")).unwrap().status, 200);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let answer = ground.tls().send(&request, to).expect("a request failed");
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut before = serial(&ground.tls(), &ground);
        for round in 0..6 {
            let next = ground.authority.certify(&["127.0.0.1"], Term::Running);
            if round % 2 == 0 {
                // The worst order, with a look at the halves: a certificate whose key is still the old one, then half a file.
                replace(&ground.certificate, &next.certificate);
                signal("HUP", &[pawl.process()]);
                std::fs::write(&ground.key, &next.key[..next.key.len() / 2]).unwrap();
                signal("HUP", &[pawl.process()]);
                assert_eq!(serial(&ground.tls(), &ground), before, "a half was served");
            }
            ground.put(&next);
            signal("HUP", &[pawl.process()]);
            before = eventually("the new certificate is served", LIMIT, || {
                Some(serial(&ground.tls(), &ground)).filter(|now| *now != before)
            });
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(asked.into_inner() > 20);
    assert_eq!(ask(&mut kept, &get("/healthz")).unwrap().status, 200);
    let client = ground.tls();
    assert_eq!(ground.figure(&client, "pawl_tls_reloads_total{result=\"taken\"}"), 6.0);
    assert!(ground.figure(&client, "pawl_tls_reloads_total{result=\"refused\"}") >= 1.0, "{}", pawl.log());
    // Without a signal it is seen as well; what has expired does not replace what has not; what is gone neither.
    let before = serial(&client, &ground);
    ground.put(&ground.authority.certify(&["127.0.0.1"], Term::Over));
    eventually("it says so", LIMIT, || pawl.log().contains("has expired").then_some(()));
    std::fs::remove_file(&ground.key).unwrap();
    eventually("it says so", LIMIT, || pawl.log().contains("cannot be read").then_some(()));
    assert_eq!(serial(&client, &ground), before);
    ground.put(&ground.authority.certify(&["127.0.0.1"], Term::Running));
    eventually("it is taken by itself", LIMIT, || (serial(&client, &ground) != before).then_some(()));
}

#[test]
fn clients_need_a_certificate_where_it_is_said() {
    let ground = Ground::with(&["127.0.0.1"], Term::Running, |scratch| {
        let clients = Authority::new(scratch.path(), "clients");
        let (_, _) = clients.write("client", &clients.certify(&["payments"], Term::Running));
        let (_, _) = clients.write("over", &clients.certify(&["payments"], Term::Over));
        vec![
            ("PAWL_TLS_CLIENT_CA", clients.file.to_str().unwrap().to_owned()),
            ("PAWL_LOG", "debug".to_owned()),
        ]
    });
    let (pawl, to) = (&ground.pawl, ground.pawl.address());
    let file = |name: &str| ground.scratch.path().join(name).to_str().unwrap().to_owned();
    let shown = |name: &str| Pair {
        certificate: std::fs::read_to_string(file(&format!("{name}.certificate.pem"))).unwrap(),
        key: std::fs::read_to_string(file(&format!("{name}.key.pem"))).unwrap(),
    };
    let with = |pair: Option<&Pair>, version| Tls::of(&ground.authority.file, pair, &[version]);
    let client = shown("client");
    let foreign = ground.authority.certify(&["payments"], Term::Running);
    let over = shown("over");
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        assert_eq!(with(Some(&client), version).send(&get("/healthz"), to).unwrap().status, 200);
        for wrong in [None, Some(&foreign), Some(&over)] {
            assert!(with(wrong, version).send(&get("/healthz"), to).is_err());
        }
        // Nothing is taken up again by whoever has a ticket: each handshake looks at the certificate.
        let twice = with(Some(&client), version);
        let mut first = twice.connect(to).unwrap();
        assert_eq!(ask(&mut first, &get("/healthz")).unwrap().status, 200);
        let second = twice.connect(to).unwrap();
        assert_eq!(second.conn.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
    let refused = pawl.cli(&["secret", "list"]);
    assert!(refused.stderr.contains("give one with --client-cert FILE --client-key FILE"), "{refused:?}");
    let [certificate, key] = ["client.certificate.pem", "client.key.pem"].map(file);
    let _ = pawl
        .cli(&["secret", "create", "a", "--value", "v", "--client-cert", &certificate, "--client-key", &key])
        .ok();
    assert!(pawl.log().contains("client.certificate=\"CN=payments\""), "{}", pawl.log());
    let script = "sm = boto3.client('secretsmanager', endpoint_url=os.environ['AWS_ENDPOINT_URL'], \
                  config=Config(client_cert=(args['certificate'], args['key'])))\n\
                  print(json.dumps(sm.get_secret_value(SecretId='a')['SecretString']))";
    assert_eq!(pawl.boto3(script, &json!({"certificate": certificate, "key": key})), "v");
    // Another authority, and who was let in is let in no more.
    replace(&ground.scratch.path().join("clients.pem"), &ground.authority.pem);
    signal("HUP", &[pawl.process()]);
    let old = with(Some(&client), &rustls::version::TLS13);
    eventually("who was let in is not", LIMIT, || old.send(&get("/healthz"), to).is_err().then_some(()));
    assert_eq!(with(Some(&foreign), &rustls::version::TLS13).send(&get("/healthz"), to).unwrap().status, 200);
}
