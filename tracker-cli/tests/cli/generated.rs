//! Help, completions and the manual page.

use crate::Fixture;

#[test]
fn completions_and_manual_cover_all_commands() {
    let fixture = Fixture::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = fixture.run(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{shell}");
        assert!(ran.out.contains("verify"), "{shell}");
    }
    let ran = fixture.run(&["man"]);
    assert!(ran.out.contains(".TH tracker 1"), "{}", ran.out);
    assert_eq!(fixture.run(&["man", "--out", "."]).code, Some(0));
    assert!(fixture.read("tracker-verify.1").contains("Recomputes every index"));
}

#[test]
fn wrong_command_line_exits_with_2() {
    let fixture = Fixture::new();
    for arguments in [&["nonsense"][..], &["verify"], &["verify", "a", "b"], &["verify", "a", "--color", "often"], &[]]
    {
        assert_eq!(fixture.run(arguments).code, Some(2), "{arguments:?}");
    }
    assert_eq!(fixture.run(&["--help"]).code, Some(0));
}
