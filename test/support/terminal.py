"""A pseudo terminal for one program. Argument 1: rows x columns; the rest: the program.

Writes what the program writes to standard output. Takes lines of JSON on standard input: {"keys": text}, {"size": [rows, columns]},
{"signal": number}. When the program has ended, says on standard error how, and whether the terminal is as it was.
"""
import fcntl, json, os, pty, select, struct, sys, termios


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def obey(line, master, pid):
    order = json.loads(line)
    if "keys" in order:
        os.write(master, order["keys"].encode())
    if "size" in order:
        resize(master, *order["size"])
    if "signal" in order:
        os.kill(pid, order["signal"])


def main():
    rows, columns = map(int, sys.argv[1].split("x"))
    master, slave = pty.openpty()
    resize(master, rows, columns)
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)
        os.close(master)
        os.close(slave)
        os.execvp(sys.argv[2], sys.argv[2:])
    inputs, rest, status = [master, 0], b"", None
    while True:
        ready, _, _ = select.select(inputs, [], [], 0.05)
        if master in ready:
            os.write(1, os.read(master, 65536))
        elif status is not None:
            break
        if 0 in ready:
            got = os.read(0, 65536)
            if not got:
                inputs.remove(0)
            *lines, rest = (rest + got).split(b"\n")
            for line in lines:
                obey(line, master, pid)
        if status is None:
            ended, found = os.waitpid(pid, os.WNOHANG)
            status = found if ended else None
    is_same = termios.tcgetattr(slave)[:4] == before[:4]
    end = {"code": os.WEXITSTATUS(status)} if os.WIFEXITED(status) else {"signal": os.WTERMSIG(status)}
    sys.stderr.write(json.dumps({**end, "isSame": is_same}))


main()
