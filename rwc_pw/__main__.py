from rwc_pw.cli import main

main()
