"""Hands and eyes for a program in Qt: keys and clicks by QTest, and what the widgets show."""

from PySide6 import QtCore, QtTest, QtWidgets


class UI:
    """The window of the application whose main loop runs."""

    def __init__(self, window):
        self.window = window

    @staticmethod
    def hook(player):
        """Have a player begin with the main loop."""
        run = QtWidgets.QApplication.exec

        def hooked(*_):
            shown = [one for one in QtWidgets.QApplication.topLevelWidgets() if one.isVisible()]
            player.begin(UI(shown[0]))
            return run()

        QtWidgets.QApplication.exec = hooked

    def every(self, seconds, function):
        """Call a function again and again until it returns False."""
        self.timer = QtCore.QTimer(interval=int(seconds * 1000), timerType=QtCore.Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(lambda: None if function() else self.timer.stop())
        self.timer.start()

    def _one(self, kind):
        return self.window.findChildren(kind)[0]

    def _button(self, label):
        return next(one for one in self.window.findChildren(QtWidgets.QPushButton) if one.text() == label)

    def type(self, text):
        """Type into the prompt."""
        prompt = self._one(QtWidgets.QPlainTextEdit)
        for piece in text.split("\n")[0:1]:
            QtTest.QTest.keyClicks(prompt, piece)
        if text.endswith("\n"):
            QtTest.QTest.keyClick(prompt, QtCore.Qt.Key.Key_Return)

    def press(self, label):
        """Click on a button."""
        QtTest.QTest.mouseClick(self._button(label), QtCore.Qt.MouseButton.LeftButton)

    def text(self):
        """What the transcript shows."""
        return self._one(QtWidgets.QTextEdit).toPlainText()

    def prompt(self):
        """What stands in the prompt."""
        return self._one(QtWidgets.QPlainTextEdit).toPlainText()

    def look(self, part):
        """The color and slant in which a part of the transcript is shown."""
        found = self._one(QtWidgets.QTextEdit).document().find(part).charFormat()
        return {"color": found.foreground().color().name(), "italic": found.fontItalic()}

    def labels(self):
        """What the labels say."""
        return [label.text() for label in self.window.findChildren(QtWidgets.QLabel)]

    def enabled(self, label):
        """Whether a button can be pressed."""
        return self._button(label).isEnabled()

    def models(self):
        """The models to choose from."""
        box = self._one(QtWidgets.QComboBox)
        return [box.itemText(index) for index in range(box.count())]

    def choose(self, model):
        """Choose a model."""
        self._one(QtWidgets.QComboBox).setEditText(model)

    def set_system(self, text):
        """Fill in the system prompt."""
        box = self._one(QtWidgets.QComboBox)
        entries = [one for one in self.window.findChildren(QtWidgets.QLineEdit) if one.parent() is not box]
        entries[0].setText(text)

    def close(self):
        """What the window manager's button does."""
        self.timer.timeout.disconnect()
        self.window.close()

    def give_up(self):
        """End the program whatever it does."""
        QtWidgets.QApplication.exit(1)

    def picture(self, path):
        """Save a picture of the window."""
        self.window.grab().save(str(path))
