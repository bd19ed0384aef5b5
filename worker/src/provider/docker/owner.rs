//! Whom the files of a runner must belong to, so that it can read them and nobody else can.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bollard::Docker;

use super::download;
use crate::provider::ProviderError;

/// How many users of images are remembered.
const REMEMBERED_MAX: usize = 1000;

/// A user and a group, by number.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Owner {
    pub(super) uid: u64,
    pub(super) gid: u64,
}

/// The users that were looked up, by image id and name: an image's `/etc/passwd` does not change.
#[derive(Debug, Default)]
pub(super) struct Owners(Mutex<HashMap<(String, String), Owner>>);

impl Owners {
    /// Who `user` is in `container`, which was made from the image of that id. `user` is written as in a Dockerfile:
    /// `name`, `name:group`, `uid`, `uid:gid`; root, if empty.
    pub(super) async fn find(
        &self,
        client: &Docker,
        container: &str,
        image_id: &str,
        user: &str,
    ) -> Result<Owner, ProviderError> {
        let name = match numeric(user) {
            Ok(owner) => return Ok(owner),
            Err(name) => name,
        };
        let key = (image_id.to_owned(), name.to_owned());
        if let Some(owner) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(*owner);
        }
        let passwd = read_passwd(client, container).await?;
        let owner = in_passwd(&passwd, name).ok_or_else(|| {
            let problem = format!("its user {name:?} is not in its /etc/passwd: name the user by number");
            ProviderError::refused("give the runner its files", problem)
        })?;
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(key, owner);
        Ok(owner)
    }
}

/// The user that is written in numbers, or the name that must be looked up.
///
/// A group that is written by name is left out: the files are for their owner alone.
fn numeric(user: &str) -> Result<Owner, &str> {
    let (name, group) = user.split_once(':').unwrap_or((user, ""));
    if name.is_empty() || name == "root" {
        return Ok(Owner::default());
    }
    name.parse().map(|uid| Owner { uid, gid: group.parse().unwrap_or_default() }).map_err(|_| name)
}

/// The user called `name` in the text of `/etc/passwd`.
fn in_passwd(passwd: &str, name: &str) -> Option<Owner> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [login, _, uid, gid, ..] = fields.as_slice() else { return None };
        (*login == name).then_some(())?;
        Some(Owner { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    })
}

/// Reads `/etc/passwd` of a container that need not run.
async fn read_passwd(client: &Docker, container: &str) -> Result<String, ProviderError> {
    let read = download::text(client, container, "/etc/passwd", "read the image's /etc/passwd").await?;
    read.ok_or_else(|| {
        ProviderError::refused(
            "give the runner its files",
            "the image's /etc/passwd is no file: name the user by number",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_in_numbers_needs_no_looking_up() {
        for (user, owner) in
            [("", (0, 0)), ("root", (0, 0)), ("1001", (1001, 0)), ("1001:123", (1001, 123)), ("7:x", (7, 0))]
        {
            assert_eq!(numeric(user), Ok(Owner { uid: owner.0, gid: owner.1 }), "{user}");
        }
        assert_eq!(numeric("runner"), Err("runner"));
        assert_eq!(numeric("runner:docker"), Err("runner"));
    }

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let passwd = "root:x:0:0::/:/bin/sh\nrunner2:x:2:2::/:\nodd\nrunner:x:1001:123:,,,:/home/runner:/bin/bash\n";
        assert_eq!(in_passwd(passwd, "runner"), Some(Owner { uid: 1001, gid: 123 }));
        assert_eq!(in_passwd(passwd, "run"), None);
        assert_eq!(in_passwd("runner:x:many:1:", "runner"), None);
    }
}
