"""A private PipeWire, WirePlumber, pipewire-pulse and session bus: no device of the machine, no sound of the user."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

PRIVATE_CONFIG = {
    "pipewire/pipewire.conf.d/50-headless.conf": """
context.objects = [
    {   factory = adapter
        args = {
            factory.name = support.null-audio-sink   media.class = "Audio/Source/Virtual"
            node.name = "headless_microphone"        node.description = "Headless microphone"
            audio.rate = 48000                       audio.channels = 1                       audio.position = [ MONO ]
            monitor.channel-volumes = true           priority.session = 2000
        }
    }
    {   factory = adapter
        args = {
            factory.name = support.null-audio-sink   media.class = "Audio/Sink"
            node.name = "headless_speakers"          node.description = "Headless speakers"
            audio.rate = 48000                       audio.channels = 2                       audio.position = [ FL FR ]
            monitor.channel-volumes = true           monitor.passthrough = true
        }
    }
]
""",
    "wireplumber/main.lua.d/60-headless.lua": "alsa_monitor.enabled = false\nv4l2_monitor.enabled = false\nlibcamera_monitor.enabled = false\n",
    "wireplumber/bluetooth.lua.d/60-headless.lua": "bluez_monitor.enabled = false\n",
    "wireplumber/wireplumber.conf.d/60-headless.conf": """
wireplumber.profiles = {
    main = {
        monitor.alsa = disabled       monitor.alsa-midi = disabled
        monitor.bluez = disabled      monitor.bluez-midi = disabled
        monitor.v4l2 = disabled       monitor.libcamera = disabled
    }
}
""",
}

class HeadlessPipeWire:
    def __init__(self, quantum=256):
        self.root = Path(tempfile.mkdtemp(prefix="rwc-pw-"))
        self.quantum = quantum
        self.procs = {}
        r = self.root
        self.env = dict(os.environ, HOME=str(r/"home"), XDG_RUNTIME_DIR=str(r/"run"), XDG_CONFIG_HOME=str(r/"config"), XDG_STATE_HOME=str(r/"state"),
            XDG_DATA_HOME=str(r/"data"), XDG_CACHE_HOME=str(r/"cache"), DBUS_SESSION_BUS_ADDRESS=f"unix:path={r}/run/bus", LANG="C.UTF-8")
        for k in ("PIPEWIRE_REMOTE","PIPEWIRE_RUNTIME_DIR","PULSE_SERVER","DISPLAY","WAYLAND_DISPLAY","XDG_CONFIG_DIRS"):
            self.env.pop(k, None)
        for d in ("home","run","config","state","data","cache"):
            (r/d).mkdir(mode=0o700)
        (r/"run/pulse").mkdir()
        for name, text in PRIVATE_CONFIG.items():
            p = r/"config"/name; p.parent.mkdir(parents=True, exist_ok=True); p.write_text(text)

    def listen(self, path):
        s = socket.socket(socket.AF_UNIX); s.bind(str(self.root/"run"/path)); s.listen(64); return s

    def spawn(self, name, *argv, sock=None):
        log = open(self.root/f"{name}.log", "ab")
        if sock is None:
            p = subprocess.Popen(argv, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        else:
            # systemd's socket activation: the socket accepts before the server runs, so that clients wait for it by themselves
            p = subprocess.Popen(["sh", "-c", 'exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh", *argv], env=self.env, stdin=sock.fileno(), stdout=log, stderr=log)
        self.procs[name] = p
        return p

    def start(self):
        self.spawn("bus", "dbus-daemon", "--session", "--nofork", "--nosyslog", f"--address=unix:path={self.root}/run/bus")
        self.spawn("pipewire", "pipewire", sock=self.listen("pipewire-0"))
        self.spawn("wireplumber", "wireplumber")
        self.spawn("pulse", "pipewire-pulse", sock=self.listen("pulse/native"))
        return self
    def run(self, *argv):
        return subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=10)
    def stop(self):
        for p in reversed(list(self.procs.values())):
            p.terminate()
        for p in self.procs.values():
            p.wait(5)
