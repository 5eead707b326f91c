import AsofCommands
import Glibc

exit(Program.run())
