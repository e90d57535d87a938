//! What each call of the adapter becomes when AWS refuses it, against a server that gives one answer to everything.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lifeboat_model::Code;

use super::*;

/// An AWS that gives every request the answer that is returned for its method.
struct Refusing {
    endpoint: String,
    requests: Arc<AtomicUsize>,
}

impl Refusing {
    fn start(answer: impl Fn(&str) -> (u16, &'static str) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        // It ends with the process of the test.
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                serve(connection.unwrap(), &answer);
            }
        });
        Self { endpoint, requests }
    }

    fn with(status: u16, code: &'static str) -> Self {
        Self::start(move |_| (status, code))
    }

    fn stacks(&self) -> CloudFormation {
        let context = lifeboat_aws::testing::context(&self.endpoint, "eu-central-1", "AKIA", "secret");
        let environment = EnvironmentId::parse("222222222222-eu-central-1").unwrap();
        CloudFormation::new(&context, &environment).with_bucket()
    }
}

fn serve(mut connection: TcpStream, answer: &impl Fn(&str) -> (u16, &'static str)) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let method = first.split(' ').next().unwrap();
    let (status, code) = answer(method);
    let body = match method {
        "HEAD" => String::new(),
        "PUT" => format!("<Error><Code>{code}</Code><Message>no</Message></Error>"),
        _ => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        ),
    };
    let head = format!(
        "HTTP/1.1 {status} No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    connection.write_all((head + &body).as_bytes()).unwrap();
}

fn change(template: Cow<'static, str>) -> Change {
    Change {
        stack: "lifeboat-shop-network".to_owned(),
        name: "lifeboat-1".to_owned(),
        is_new: true,
        template,
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
    }
}

/// A template that must be in the bucket.
fn large() -> Change {
    change(Cow::Owned(" ".repeat(LARGEST_INLINE + 1)))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_that_is_denied_names_the_action_to_allow() {
    let aws = Refusing::with(403, "AccessDenied");
    let stacks = aws.stacks();
    let small = change(Cow::Borrowed("{}"));
    let problems = [
        (
            "cloudformation:DescribeStacks",
            stacks.describe("s").await.unwrap_err(),
        ),
        ("cloudformation:DescribeStacks", stacks.all().await.unwrap_err()),
        (
            "cloudformation:CreateChangeSet",
            stacks.create_change_set(&small).await.unwrap_err(),
        ),
        (
            "s3:GetObject",
            stacks.create_change_set(&large()).await.unwrap_err(),
        ),
        (
            "cloudformation:DescribeChangeSet",
            stacks.describe_change_set("s", "c").await.unwrap_err(),
        ),
        (
            "cloudformation:DeleteChangeSet",
            stacks.delete_change_set("s", "c").await.unwrap_err(),
        ),
        (
            "cloudformation:ExecuteChangeSet",
            stacks
                .execute_change_set("s", "c", OnFailure::Keep)
                .await
                .unwrap_err(),
        ),
        (
            "cloudformation:GetTemplate",
            stacks.template("s").await.unwrap_err(),
        ),
        (
            "cloudformation:DeleteStack",
            stacks.delete_stack("s").await.unwrap_err(),
        ),
        (
            "cloudformation:DescribeStackEvents",
            stacks.events("s").await.unwrap_err(),
        ),
    ];
    for (action, problem) in problems {
        assert_eq!(problem.code, Code::AwsDenied, "{action}: {problem}");
        assert!(problem.guidance.contains(action), "{problem}");
    }
    // The template is not in the bucket, and may not be put there.
    let aws = Refusing::start(|method| match method {
        "HEAD" => (404, "NotFound"),
        _ => (403, "AccessDenied"),
    });
    let problem = aws.stacks().create_change_set(&large()).await.unwrap_err();
    assert!(
        problem.code == Code::AwsDenied && problem.guidance.contains("s3:PutObject"),
        "{problem}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_throttled_is_repeated_and_then_named() {
    let aws = Refusing::with(400, "Throttling");
    let problem = aws.stacks().describe("s").await.unwrap_err();
    assert_eq!(problem.code, Code::AwsThrottled, "{problem}");
    assert!(crate::diagnosis::is_retryable(problem.code));
    assert_eq!(aws.requests.load(Ordering::SeqCst), 5, "the attempts of the SDK");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_is_not_enabled_is_named() {
    let aws = Refusing::with(400, "OptInRequired");
    let problem = aws.stacks().describe("s").await.unwrap_err();
    assert_eq!(problem.code, Code::RegionNotEnabled, "{problem}");
    assert!(problem.message.contains("eu-central-1"), "{problem}");
    assert_eq!(aws.requests.load(Ordering::SeqCst), 1);
}
