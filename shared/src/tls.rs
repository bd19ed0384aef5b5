//! Who does the cryptography of TLS.

/// Chooses it for the whole process, and for all libraries in it; each of them asks for it only when it first connects.
pub fn choose_cryptography() {
    // An error means that somebody else in this process has chosen, which serves as well.
    drop(rustls::crypto::ring::default_provider().install_default());
}
