//! `launchgate-trigger`: the gate on Cloud Run, or on any machine.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use launchgate_service::{
    Environment, GateService, LogFormat, TriggersFile, init_logs, install_crypto, listen, terminated,
};

/// An event is a few hundred small texts, made on one thread and dropped on another (the ledger's writer):
/// the case that glibc's allocator pays most for. `make bench` shows the difference.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: launchgate-trigger [--config FILE] [--listen ADDRESS:PORT]
  --config FILE   the triggers file (default $LAUNCHGATE_CONFIG, else launchgate.yaml)
  --listen ADDR   where to listen (default 0.0.0.0:$PORT, else 0.0.0.0:8080)
Logs go to stdout as JSON lines; $LAUNCHGATE_LOG is error, warn, info (default), debug or trace.";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("launchgate-trigger: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> anyhow::Result<()> {
    install_crypto();
    let stop = terminated();
    let environment = Environment::of_process();
    let port = environment.get("PORT").unwrap_or("8080");
    let mut config = PathBuf::from(environment.get("LAUNCHGATE_CONFIG").unwrap_or("launchgate.yaml"));
    let mut address = format!("0.0.0.0:{port}");
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--config", Some(file)) => config = file.into(),
            ("--listen", Some(given)) => address = given,
            _ => anyhow::bail!("{USAGE}"),
        }
    }
    match environment.get("LAUNCHGATE_ROLE") {
        None | Some("gate") => {}
        Some(other) => anyhow::bail!("LAUNCHGATE_ROLE={other}: this version has the role `gate` only"),
    }
    let file = TriggersFile::read(&config, &environment)?;
    let folder = config.parent().map(PathBuf::from).unwrap_or_default();
    let config = Arc::new(file.usable()?);
    init_logs(LogFormat::CloudLogging, environment.get("LAUNCHGATE_LOG"), Some(&config.vertex.project));
    let service = GateService::start(config, &folder, &environment).map_err(anyhow::Error::msg)?;
    let address: SocketAddr = address.parse().map_err(|error| anyhow::anyhow!("{address}: {error}"))?;
    let listener = listen(address).await?;
    service.serve(listener, stop).await?;
    Ok(())
}
