//go:build !purego

#include "textflag.h"

// func weighAVX2(p, q *float32, n int, top float64, sums, dots *[4]float64, constants *[18][4]float64)
//
// Each lane does what the loop of weigh does in Go for every fourth term, in
// the same order and with each product rounded before it is added: no FMA.
// Eight terms at a time, n a multiple of 8. The constants are least, log2(e),
// shift, both parts of ln(2), 1, and the twelve of taylor, each four times.
TEXT ·weighAVX2(SB), NOSPLIT, $0-56
	MOVQ         p+0(FP), DI
	MOVQ         q+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSD top+24(FP), Y15
	MOVQ         sums+32(FP), R8
	MOVQ         dots+40(FP), R9
	MOVQ         constants+48(FP), DX
	VMOVUPD      32(DX), Y14
	VMOVUPD      64(DX), Y13
	VMOVUPD      160(DX), Y12
	VXORPD       Y11, Y11, Y11
	VXORPD       Y10, Y10, Y10

step:
	VCVTPS2PD (DI), Y0
	VCVTPS2PD 16(DI), Y1
	VCVTPS2PD (SI), Y2
	VCVTPS2PD 16(SI), Y3
	VSUBPD    Y2, Y0, Y2
	VSUBPD    Y3, Y1, Y3
	VSUBPD    Y15, Y0, Y0
	VSUBPD    Y15, Y1, Y1
	VMAXPD    (DX), Y0, Y0
	VMAXPD    (DX), Y1, Y1

	// k in Y4 and Y5, shifted; r in Y0 and Y1
	VMULPD Y14, Y0, Y4
	VMULPD Y14, Y1, Y5
	VADDPD Y13, Y4, Y4
	VADDPD Y13, Y5, Y5
	VSUBPD Y13, Y4, Y6
	VSUBPD Y13, Y5, Y7
	VMULPD 96(DX), Y6, Y8
	VMULPD 96(DX), Y7, Y9
	VSUBPD Y8, Y0, Y0
	VSUBPD Y9, Y1, Y1
	VMULPD 128(DX), Y6, Y8
	VMULPD 128(DX), Y7, Y9
	VSUBPD Y8, Y0, Y0
	VSUBPD Y9, Y1, Y1

	// the series
	VMULPD 192(DX), Y0, Y6
	VMULPD 192(DX), Y1, Y7
	VADDPD 224(DX), Y6, Y6
	VADDPD 224(DX), Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD 256(DX), Y6, Y6
	VADDPD 256(DX), Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD 288(DX), Y6, Y6
	VADDPD 288(DX), Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD 320(DX), Y6, Y6
	VADDPD 320(DX), Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD 352(DX), Y6, Y6
	VADDPD 352(DX), Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD 384(DX), Y6, Y6
	VADDPD 384(DX), Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD 416(DX), Y6, Y6
	VADDPD 416(DX), Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD 448(DX), Y6, Y6
	VADDPD 448(DX), Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD 480(DX), Y6, Y6
	VADDPD 480(DX), Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD 512(DX), Y6, Y6
	VADDPD 512(DX), Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD 544(DX), Y6, Y6
	VADDPD 544(DX), Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD Y12, Y6, Y6
	VADDPD Y12, Y7, Y7
	VMULPD Y0, Y6, Y6
	VMULPD Y1, Y7, Y7
	VADDPD Y12, Y6, Y6
	VADDPD Y12, Y7, Y7

	// times two to the k
	VPSLLQ $52, Y4, Y4
	VPSLLQ $52, Y5, Y5
	VPADDQ Y12, Y4, Y4
	VPADDQ Y12, Y5, Y5
	VMULPD Y4, Y6, Y6
	VMULPD Y5, Y7, Y7

	VADDPD Y6, Y11, Y11
	VADDPD Y7, Y11, Y11
	VMULPD Y2, Y6, Y6
	VMULPD Y3, Y7, Y7
	VADDPD Y6, Y10, Y10
	VADDPD Y7, Y10, Y10
	ADDQ   $32, DI
	ADDQ   $32, SI
	SUBQ   $8, CX
	JNE    step

	VMOVUPD Y11, (R8)
	VMOVUPD Y10, (R9)
	VZEROUPPER
	RET
