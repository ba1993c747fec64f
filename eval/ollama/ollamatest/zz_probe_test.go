package ollamatest
import ("testing";"time")
func TestZZProbe(t *testing.T){ s:=Start(t)
 f:=WriteModel(t,BabyLlama58M)
 s.Create(t,"one",f,map[string]any{"num_ctx":128,"num_batch":1,"num_thread":1})
 s.Create(t,"two",f,map[string]any{"num_ctx":128,"num_batch":1})
 for range 3 { for _,m:=range []string{"one","two"} { ask(t,s,m,"x"); n:=time.Now(); for _,p:=range prompts {ask(t,s,m,p)}; t.Log(m,time.Since(n)/4) } }
}
