#!/usr/bin/env python3
"""A window from which window_test drags files. Usage: drag_source.py FILE…   Needs GTK 3 for Python: apt-get install python3-gi gir1.2-gtk-3.0"""

import pathlib
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, Gtk  # noqa: E402

uris = [pathlib.Path(path).resolve().as_uri() for path in sys.argv[1:]]
window = Gtk.Window(title="Drag source")
window.set_default_size(200, 200)
area = Gtk.EventBox()
area.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [], Gdk.DragAction.COPY)
area.drag_source_add_uri_targets()
area.connect("drag-data-get", lambda widget, context, data, info, time: data.set_uris(uris))
window.add(area)
window.connect("destroy", Gtk.main_quit)
window.show_all()
Gtk.main()
