//! The entry point of the function: reads its environment variables and handles invocations.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use lambda_runtime::{LambdaEvent, service_fn};
use lifeboat_coordinator::lambda::function::Function;
use serde_json::Value;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() -> anyhow::Result<()> {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_ansi(false);
    let own = Targets::new().with_target("lifeboat", LevelFilter::INFO);
    tracing_subscriber::registry().with(lines).with(own).init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    runtime.block_on(async {
        let function = Arc::new(
            Box::pin(Function::start(&variables))
                .await
                .map_err(anyhow::Error::msg)?,
        );
        let handle = service_fn(move |event: LambdaEvent<Value>| {
            let function = Arc::clone(&function);
            // Boxed because the nested future types of the SDK are too deep for the compiler.
            async move { Box::pin(function.invoke(event)).await }
        });
        lambda_runtime::run(handle)
            .await
            .map_err(|error| anyhow::anyhow!(error))
    })
}
