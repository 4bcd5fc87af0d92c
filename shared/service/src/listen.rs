//! Sockets and signals: accepting, draining, stopping.

use std::{future::Future, net::SocketAddr, time::Duration};

use axum::{Router, serve::ListenerExt};
use tokio::net::TcpListener;

/// How long open requests may take after the order to stop. Cloud Run kills 10 seconds after SIGTERM.
const DRAIN: Duration = Duration::from_secs(9);

/// Binds an address and says so in the log.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    Ok(listener)
}

/// A future that completes at SIGTERM or Ctrl-C. Both are watched from this call on, so call it before anyone
/// can know that the process is there.
pub fn terminated() -> impl Future<Output = ()> + Send + 'static {
    #[cfg(unix)]
    let watched = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    };
    async move {
        #[cfg(unix)]
        if let (Ok(mut terminate), Ok(mut interrupt)) = watched {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Serves until `shutdown` completes, then lets open requests finish for at most 9 seconds.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    // An answer is one small write: waiting to fill a packet would only delay it.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
        shutdown.await;
        tracing::info!("stopping: open requests finish, nothing new is taken");
        let _ = stop.send(());
    });
    tokio::select! {
        result = serving.into_future() => result,
        () = async { let _ = stopped.await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("open requests were cut off after 9 seconds; their work is durable or will be delivered again");
            Ok(())
        }
    }
}
