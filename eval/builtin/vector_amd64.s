//go:build !purego

#include "textflag.h"

// Every lane here does what one of the eight sums of dot does in Go, in the
// same order and with each product rounded before it is added: no FMA.

// func dotsAVX2(out, w, x *float32, outStride, wStride, xStride, cols, n int)
//
// Four rows of w with n rows of x, two at a time. A stride is in numbers.
TEXT ·dotsAVX2(SB), NOSPLIT, $0-64
	MOVQ out+0(FP), DI
	MOVQ w+8(FP), SI
	MOVQ x+16(FP), DX
	MOVQ outStride+24(FP), R11
	MOVQ wStride+32(FP), AX
	MOVQ xStride+40(FP), R12
	MOVQ cols+48(FP), CX
	MOVQ n+56(FP), R13
	SHLQ $2, R11
	SHLQ $2, R12
	SHLQ $2, CX
	LEAQ (SI)(AX*4), R8
	LEAQ (R8)(AX*4), R9
	LEAQ (R9)(AX*4), R10

pair:
	CMPQ   R13, $2
	JLT    single
	LEAQ   (DX)(R12*1), BX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	XORQ   AX, AX

pairStep:
	VMOVUPS (DX)(AX*1), Y8
	VMOVUPS (BX)(AX*1), Y9
	VMOVUPS (SI)(AX*1), Y10
	VMULPS  Y8, Y10, Y11
	VMULPS  Y9, Y10, Y12
	VADDPS  Y11, Y0, Y0
	VADDPS  Y12, Y4, Y4
	VMOVUPS (R8)(AX*1), Y13
	VMULPS  Y8, Y13, Y14
	VMULPS  Y9, Y13, Y15
	VADDPS  Y14, Y1, Y1
	VADDPS  Y15, Y5, Y5
	VMOVUPS (R9)(AX*1), Y10
	VMULPS  Y8, Y10, Y11
	VMULPS  Y9, Y10, Y12
	VADDPS  Y11, Y2, Y2
	VADDPS  Y12, Y6, Y6
	VMOVUPS (R10)(AX*1), Y13
	VMULPS  Y8, Y13, Y14
	VMULPS  Y9, Y13, Y15
	VADDPS  Y14, Y3, Y3
	VADDPS  Y15, Y7, Y7
	ADDQ    $32, AX
	CMPQ    AX, CX
	JLT     pairStep

	// ((s0+s1)+(s2+s3)) + ((s4+s5)+(s6+s7)) of four sums at once
	VHADDPS      Y1, Y0, Y0
	VHADDPS      Y3, Y2, Y2
	VHADDPS      Y2, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VMOVUPS      X0, (DI)
	VHADDPS      Y5, Y4, Y4
	VHADDPS      Y7, Y6, Y6
	VHADDPS      Y6, Y4, Y4
	VEXTRACTF128 $1, Y4, X5
	VADDPS       X5, X4, X4
	VMOVUPS      X4, (DI)(R11*1)
	LEAQ         (DI)(R11*2), DI
	LEAQ         (DX)(R12*2), DX
	SUBQ         $2, R13
	JMP          pair

single:
	TESTQ  R13, R13
	JEQ    done
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ   AX, AX

	LEAQ   (SI)(CX*8), BX // eight rows on: read ahead, as one position waits for memory

singleStep:
	PREFETCHT0 (BX)
	PREFETCHT0 64(BX)
	VMOVUPS    (DX)(AX*1), Y8
	VMULPS     (SI)(AX*1), Y8, Y10
	VADDPS     Y10, Y0, Y0
	VMULPS     (R8)(AX*1), Y8, Y11
	VADDPS     Y11, Y1, Y1
	VMULPS     (R9)(AX*1), Y8, Y12
	VADDPS     Y12, Y2, Y2
	VMULPS     (R10)(AX*1), Y8, Y13
	VADDPS     Y13, Y3, Y3
	ADDQ       $128, BX
	ADDQ       $32, AX
	CMPQ       AX, CX
	JLT        singleStep

	VHADDPS      Y1, Y0, Y0
	VHADDPS      Y3, Y2, Y2
	VHADDPS      Y2, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VMOVUPS      X0, (DI)

done:
	VZEROUPPER
	RET

// func weighAVX2(out, p, v *float32, stride, n, width int)
//
// out = the sum of p[t] times row t of v, t from 0 to n-1 in turn. width is a
// multiple of 8.
TEXT ·weighAVX2(SB), NOSPLIT, $0-48
	MOVQ out+0(FP), DI
	MOVQ p+8(FP), SI
	MOVQ v+16(FP), DX
	MOVQ stride+24(FP), R8
	MOVQ n+32(FP), R9
	MOVQ width+40(FP), CX
	SHLQ $2, R8

wide:
	CMPQ   CX, $32
	JLT    narrow
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	MOVQ   DX, BX
	XORQ   AX, AX

wideStep:
	VBROADCASTSS (SI)(AX*4), Y8
	VMULPS       0(BX), Y8, Y9
	VADDPS       Y9, Y0, Y0
	VMULPS       32(BX), Y8, Y10
	VADDPS       Y10, Y1, Y1
	VMULPS       64(BX), Y8, Y11
	VADDPS       Y11, Y2, Y2
	VMULPS       96(BX), Y8, Y12
	VADDPS       Y12, Y3, Y3
	ADDQ         R8, BX
	INCQ         AX
	CMPQ         AX, R9
	JLT          wideStep
	VMOVUPS      Y0, 0(DI)
	VMOVUPS      Y1, 32(DI)
	VMOVUPS      Y2, 64(DI)
	VMOVUPS      Y3, 96(DI)
	ADDQ         $128, DI
	ADDQ         $128, DX
	SUBQ         $32, CX
	JMP          wide

narrow:
	TESTQ  CX, CX
	JEQ    end
	VXORPS Y0, Y0, Y0
	MOVQ   DX, BX
	XORQ   AX, AX

narrowStep:
	VBROADCASTSS (SI)(AX*4), Y8
	VMULPS       (BX), Y8, Y9
	VADDPS       Y9, Y0, Y0
	ADDQ         R8, BX
	INCQ         AX
	CMPQ         AX, R9
	JLT          narrowStep
	VMOVUPS      Y0, (DI)
	ADDQ         $32, DI
	ADDQ         $32, DX
	SUBQ         $8, CX
	JMP          narrow

end:
	VZEROUPPER
	RET

// func widenF16AVX2(out *float32, in *byte, n int)
//
// n is a multiple of 8, here and below.
TEXT ·widenF16AVX2(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ in+8(FP), SI
	MOVQ n+16(FP), CX
	XORQ AX, AX

step:
	PREFETCHT0 2048(SI)(AX*2)
	VCVTPH2PS  (SI)(AX*2), Y0
	VMOVUPS    Y0, (DI)(AX*4)
	ADDQ       $8, AX
	CMPQ       AX, CX
	JLT        step
	VZEROUPPER
	RET

// func widenBF16AVX2(out *float32, in *byte, n int)
TEXT ·widenBF16AVX2(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ in+8(FP), SI
	MOVQ n+16(FP), CX
	XORQ AX, AX

step:
	PREFETCHT0 2048(SI)(AX*2)
	VPMOVZXWD  (SI)(AX*2), Y0
	VPSLLD     $16, Y0, Y0
	VMOVUPS    Y0, (DI)(AX*4)
	ADDQ       $8, AX
	CMPQ       AX, CX
	JLT        step
	VZEROUPPER
	RET

// func widenQ8AVX2(out *float32, in *byte, n int)
//
// n is a multiple of 32: blocks of an F16 scale and 32 int8.
TEXT ·widenQ8AVX2(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ in+8(FP), SI
	MOVQ n+16(FP), CX

block:
	PREFETCHT0   2048(SI)
	MOVWLZX      (SI), AX
	VMOVD        AX, X0
	VCVTPH2PS    X0, X0
	VBROADCASTSS X0, Y0
	VPMOVSXBD    2(SI), Y1
	VPMOVSXBD    10(SI), Y2
	VPMOVSXBD    18(SI), Y3
	VPMOVSXBD    26(SI), Y4
	VCVTDQ2PS    Y1, Y1
	VCVTDQ2PS    Y2, Y2
	VCVTDQ2PS    Y3, Y3
	VCVTDQ2PS    Y4, Y4
	VMULPS       Y1, Y0, Y1
	VMULPS       Y2, Y0, Y2
	VMULPS       Y3, Y0, Y3
	VMULPS       Y4, Y0, Y4
	VMOVUPS      Y1, 0(DI)
	VMOVUPS      Y2, 32(DI)
	VMOVUPS      Y3, 64(DI)
	VMOVUPS      Y4, 96(DI)
	ADDQ         $34, SI
	ADDQ         $128, DI
	SUBQ         $32, CX
	JGT          block
	VZEROUPPER
	RET
