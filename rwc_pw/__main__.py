from rwc_pw.cli.main import main

main()
