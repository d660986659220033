{3,1,2}→L1
SortA(L1
Disp L1,sum(L1),dim(L1),L1+1,2L1,max(L1
4→L1(4
Disp L1(4),mean(L1),median(L1),cumSum(L1
seq(X²,X,1,5→∟SQ
Disp ∟SQ
3→dim(∟SQ
∟SQ
