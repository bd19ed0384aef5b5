//! The table of commands.

use std::process::Command;

use devstack::readme;

#[test]
fn the_table_of_commands_has_those_that_there_are() {
    let help = Command::new(env!("CARGO_BIN_EXE_worker")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let there_are = listed.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");

    let rows = readme::rows("command").unwrap();
    let said = rows.iter().map(|row| readme::code(&row[0]).unwrap().strip_prefix("worker ").unwrap());
    assert_eq!(said.collect::<Vec<_>>(), there_are.collect::<Vec<_>>(), "{help}");
}
