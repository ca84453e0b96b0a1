//! Help, completions and the manual page.

use crate::Scene;

#[test]
fn completions_and_manual_come_from_the_commands_themselves() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = scene.run(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{shell}");
        assert!(ran.out.contains("verify"), "{shell}");
    }
    let ran = scene.run(&["man"]);
    assert!(ran.out.contains(".TH tracker 1"), "{}", ran.out);
    assert_eq!(scene.run(&["man", "--out", "."]).code, Some(0));
    assert!(scene.read("tracker-verify.1").contains("Recomputes every index"));
}

#[test]
fn a_mistake_on_the_command_line_ends_with_2() {
    let scene = Scene::new();
    for arguments in [&["nonsense"][..], &["verify"], &["verify", "a", "b"], &["verify", "a", "--color", "often"], &[]]
    {
        assert_eq!(scene.run(arguments).code, Some(2), "{arguments:?}");
    }
    assert_eq!(scene.run(&["--help"]).code, Some(0));
}
