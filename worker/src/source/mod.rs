//! Where jobs come from besides webhooks.

pub mod reconcile;
