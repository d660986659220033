0→A
While A<3
A+1→A
If A=2
Goto X
Disp A
Lbl X
End
Repeat A=0
A-1→A
End
Disp A
For(B,3,1,-1
Disp B
End
For(C,5,1
Disp "NEVER
End
0→D
Lbl AB
D+1→D
If D<3:Goto AB
D
