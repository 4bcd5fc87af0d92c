//! `launchgate-webhook`: the relay from Buildkite's webhook to Pub/Sub.

use std::{net::SocketAddr, process::ExitCode};

use launchgate_service::{
    Environment, LogFormat, RelayService, init_logs, install_crypto, listen, terminated,
};

const USAGE: &str = "usage: launchgate-webhook [--listen ADDRESS:PORT]
  --listen ADDR               where to listen (default 0.0.0.0:$PORT, else 0.0.0.0:8080)
  BUILDKITE_WEBHOOK_SECRET    the webhook's token; several, comma-separated, during rotation
  LAUNCHGATE_BUILDS_TOPIC     projects/PROJECT/topics/TOPIC";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("launchgate-webhook: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> anyhow::Result<()> {
    install_crypto();
    let stop = terminated();
    let environment = Environment::of_process();
    let mut address = format!("0.0.0.0:{}", environment.get("PORT").unwrap_or("8080"));
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--listen", Some(given)) => address = given,
            _ => anyhow::bail!("{USAGE}"),
        }
    }
    init_logs(
        LogFormat::CloudLogging,
        environment.get("LAUNCHGATE_LOG"),
        environment.get("GOOGLE_CLOUD_PROJECT"),
    );
    let service = RelayService::start(&environment).map_err(anyhow::Error::msg)?;
    let address: SocketAddr = address.parse().map_err(|error| anyhow::anyhow!("{address}: {error}"))?;
    let listener = listen(address).await?;
    service.serve(listener, stop).await?;
    Ok(())
}
