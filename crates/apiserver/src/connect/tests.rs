#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::path::Path;

use crate::connect::*;
use crate::testing::{FakeCluster, FakeServer, Reply};

/// A directory that is removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lifeboat-connect-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn kubeconfig(context: &str, server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n\
         clusters: [{{name: {context}, cluster: {{server: '{server}'}}}}]\n\
         contexts: [{{name: {context}, context: {{cluster: {context}, user: {context}}}}}]\n\
         users: [{{name: {context}, user: {{token: hunter2}}}}]\n"
    )
}

async fn connect(
    source: KubeconfigSource,
    context: Option<&str>,
) -> Result<(Api, ServerVersion), ConnectError> {
    Api::connect(&ConnectOptions::new(source, context.map(str::to_owned))).await
}

async fn fails(file: &Path, context: Option<&str>) -> ConnectError {
    let error = connect(KubeconfigSource::File(file.to_owned()), context)
        .await
        .unwrap_err();
    let shown = format!("{error} {error:?} {}", error.problem());
    assert!(!shown.contains("hunter2"), "{shown}");
    error
}

#[tokio::test]
async fn contexts_of_several_files_are_merged_and_missing_files_skipped() {
    let cluster = FakeCluster::with([]);
    let server = FakeServer::start(move |r, _| cluster.answer(r)).await.unwrap();
    let folder = Folder::new("merge");
    let one = folder.file("one", &kubeconfig("one", "http://127.0.0.1:1"));
    let two = folder.file("two", &kubeconfig("two", &server.url()));
    let files = KubeconfigSource::Merged(vec![folder.0.join("absent"), one, two]);
    let (api, version) = connect(files, Some("two")).await.unwrap();
    assert_eq!(version.git_version, "v1.36.3");
    assert_eq!(api.server(), server.url());
    assert_eq!(server.requests()[0].headers["authorization"], "Bearer hunter2");
}

#[tokio::test]
async fn each_thing_that_can_be_wrong_has_its_own_code() {
    let folder = Folder::new("wrong");
    let good = folder.file("good", &kubeconfig("one", "http://127.0.0.1:1"));
    let error = fails(&good, Some("three")).await;
    assert_eq!(error.code(), Code::UnknownContext);
    assert_eq!(
        error.to_string(),
        "find the context \"three\" in the kubeconfig, which has only one"
    );

    assert_eq!(fails(&good, None).await.code(), Code::ClusterUnreachable);
    assert_eq!(
        fails(&folder.0.join("absent"), None).await.code(),
        Code::KubeconfigUnreadable
    );
    let broken = folder.file(
        "broken",
        "apiVersion: v1\nusers: [{name: x, user: {token: hunter2}}\n  - : {",
    );
    assert_eq!(fails(&broken, None).await.code(), Code::KubeconfigUnreadable);
    let text = folder.file("text", "token hunter2");
    assert_eq!(fails(&text, None).await.code(), Code::KubeconfigUnreadable);
    let no_current = folder.file("none", "apiVersion: v1\nkind: Config\n");
    assert_eq!(fails(&no_current, None).await.code(), Code::UnknownContext);
    let dangling = kubeconfig("one", "http://127.0.0.1:1").replace("{cluster: one", "{cluster: other");
    assert_eq!(
        fails(&folder.file("dangling", &dangling), None).await.code(),
        Code::KubeconfigUnreadable
    );
    let proxied = kubeconfig("one", "http://127.0.0.1:1")
        .replace("cluster: {server", "cluster: {proxy-url: 'http://p:1', server");
    let error = fails(&folder.file("proxied", &proxied), None).await;
    assert!(error.to_string().contains("`proxy-url`"), "{error}");
    let plugin = kubeconfig("one", "http://127.0.0.1:1").replace(
        "{token: hunter2}",
        "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: ['-c', 'echo hunter2; echo the session has expired >&2; exit 3']}}",
    );
    let error = fails(&folder.file("plugin", &plugin), None).await;
    assert_eq!(error.code(), Code::Unauthenticated);
    assert!(
        error
            .to_string()
            .contains("the credential plugin exited with exit status: 3: the session has expired"),
        "{error}"
    );

    let absent = KubeconfigSource::Merged(vec![folder.0.join("absent")]);
    let error = connect(absent, None).await.unwrap_err();
    assert_eq!(error.code(), Code::KubeconfigUnreadable);
}

/// A kubeconfig as written by `aws eks update-kubeconfig`, whose user runs `aws eks get-token`.
#[tokio::test]
async fn the_token_of_a_credential_plugin_is_sent() {
    let cluster = FakeCluster::with([]);
    let server = FakeServer::start(move |request, _| match request.headers.get("authorization") {
        Some(token) if token == "Bearer k8s-aws-v1.token" => cluster.answer(request),
        _ => Reply::failure(401, "Unauthorized", "Unauthorized"),
    })
    .await
    .unwrap();
    let credential = r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{},"status":{"expirationTimestamp":"2126-01-01T00:00:00Z","token":"k8s-aws-v1.token"}}"#;
    let folder = Folder::new("exec");
    let printed = folder.file("credential.json", credential);
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1beta1, interactiveMode: Never, command: cat, args: ['{}']}}}}",
        printed.display()
    );
    let config = kubeconfig("one", &server.url()).replace("{token: hunter2}", &user);
    let source = KubeconfigSource::File(folder.file("config", &config));
    connect(source, None).await.unwrap();
}

#[tokio::test]
async fn what_answers_must_be_an_api_server_that_knows_us() {
    for (reply, code) in [
        (
            Reply::bytes(200, "text/html", "<html></html>"),
            Code::NotKubernetes,
        ),
        (
            Reply::bytes(200, "application/json", "{\"version\":\"3.2\"}"),
            Code::NotKubernetes,
        ),
        (Reply::bytes(404, "text/plain", "no"), Code::NotKubernetes),
        (
            Reply::bytes(302, "text/html", "").header("location", "/login"),
            Code::NotKubernetes,
        ),
        (
            Reply::failure(401, "Unauthorized", "Unauthorized"),
            Code::Unauthenticated,
        ),
        (Reply::failure(403, "Forbidden", "forbidden"), Code::Forbidden),
        (
            Reply::failure(503, "ServiceUnavailable", "starting"),
            Code::ServerFails,
        ),
        // A load balancer without a backend.
        (Reply::bytes(503, "text/html", ""), Code::ClusterUnreachable),
    ] {
        let shown = format!("{reply:?}");
        let server = FakeServer::start(move |_, _| reply.clone()).await.unwrap();
        let folder = Folder::new(&format!("answers-{code}"));
        let file = folder.file("config", &kubeconfig("one", &server.url()));
        assert_eq!(fails(&file, None).await.code(), code, "{shown}");
    }
}
