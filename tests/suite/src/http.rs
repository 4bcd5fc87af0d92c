//! The HTTP client of the tests.

use std::{sync::Once, time::Duration};

/// A new client without a proxy; its connections are not shared between tests, whose runtimes end with them.
pub fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Nothing here speaks TLS, but the client is not built without a provider. An error: there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap()
}
