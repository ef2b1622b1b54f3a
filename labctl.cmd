@setlocal & set "LAB_SCRIPT=.\labctl" & py -3 "%~dp0labctl.py" %*
