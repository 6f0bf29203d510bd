"""What only a GPU can tell: `make gpu`, one run of at most eight minutes.

`checks` is the table of what is asked, most valuable first, and the functions that ask; `judging`
takes what a program printed for a verdict; `price` measures the levels beside their peers; `room`
runs programs under the hook within the time that is left; `scheduling` goes through the table;
`evidence` writes JSON, table and plot; `rehearsing` puts a runtime that computes nothing below it.
The programs are in `programs`, one for each question.

Only the standard library is needed beside torch, 2.6 or newer.
"""
