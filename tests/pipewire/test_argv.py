import os
import subprocess
import sys

from rwc_pw.pipewire.argv import dies_with


def test_a_command_of_ours_begins_and_one_of_a_dead_parent_does_not():
    ours = subprocess.run((*dies_with(os.getpid()), "echo", "a b", "c"), capture_output=True, text=True, check=False)
    assert (ours.returncode, ours.stdout) == (0, "a b c\n")
    orphan = subprocess.run((*dies_with(2**22), "echo", "a"), capture_output=True, text=True, check=False)
    assert (orphan.returncode, orphan.stdout) == (1, "")


def test_a_command_is_killed_with_its_parent():
    program = (
        "import os, subprocess, sys; from rwc_pw.pipewire.argv import dies_with;"
        "subprocess.Popen((*dies_with(os.getpid()), 'sh', '-c', 'trap : TERM HUP; echo begun; read _'));"
        "sys.stdin.read()"
    )
    with subprocess.Popen((sys.executable, "-c", program), stdin=-1, stdout=-1) as parent:
        assert parent.stdout.readline() == b"begun\n"
        parent.kill()
        assert parent.stdout.read() == b""  # which lasts until the last process that can write has ended
