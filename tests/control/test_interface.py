"""What the bus is told of a change, whatever callers have read meanwhile."""

from dataclasses import replace
from typing import Any

from dbus_next import Message

from rwc_pw.control.interface import Voice1
from rwc_pw.control.levels import LevelWatch
from rwc_pw.status import State, Status

ARMED = Status(state=State.ARMED, voice="giant", input_device="phone")
ELSEWHERE = replace(ARMED, input_device="usb")


class Observed(Voice1):
    """Notes what it signals; its daemon has the status that it is given."""

    def __init__(self) -> None:
        super().__init__(self, LevelWatch(print, print))
        self.now = ARMED
        self.signals: list[dict[str, Any]] = []

    def status(self) -> Status:
        return self.now

    def settings(self) -> dict[str, Any]:
        return {"gate": -50}

    def emit_properties_changed(self, changed_properties: dict[str, Any], *_: object) -> None:
        self.signals.append(changed_properties)

    def read(self) -> str:
        self.begin_call(Message("a.b", "/", "a.b", "GetAll"))
        return self.snapshot["InputDevice"]


def test_only_what_has_changed_is_told():
    it = Observed()
    it.tell_changes()
    it.now = ELSEWHERE
    it.tell_changes()
    it.tell_changes()
    assert it.signals[0].keys() >= {"State", "InputDevice", "Settings"}
    assert it.signals[1:] == [{"InputDevice": "usb"}]


def test_whoever_has_read_what_was_not_told_yet_is_told_that_it_is_over():
    it = Observed()
    it.tell_changes()
    it.now = ELSEWHERE  # for a moment in which the bus is slow
    assert it.read() == "usb"
    it.now = ARMED
    it.tell_changes()
    it.tell_changes()
    assert it.signals[1:] == [{"InputDevice": "phone"}]


def test_each_call_reads_what_is_now():
    it = Observed()
    assert it.read() == "phone"
    it.now = ELSEWHERE
    assert it.read() == "usb"
