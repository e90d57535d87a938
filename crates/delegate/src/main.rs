//! The entry point of the function: reads its environment variables and handles invocations.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use lambda_runtime::{LambdaEvent, service_fn};
use lifeboat_delegate::function::Function;
use serde_json::Value;

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter("off,lifeboat=info")
        .with_ansi(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    runtime.block_on(async {
        // Configuration errors are reported by each invocation, so that CloudFormation receives them. Boxed,
        // here and below, because the nested future types of the SDK are too deep for the compiler.
        let function = Arc::new(Box::pin(Function::start(&variables)).await);
        let handle = service_fn(move |event: LambdaEvent<Value>| {
            let function = Arc::clone(&function);
            async move { Box::pin(function.invoke(event)).await }
        });
        lambda_runtime::run(handle)
            .await
            .map_err(|error| anyhow::anyhow!(error))
    })
}
